"""What must hold on the tuning sets. `make quality` fails when one of these is missed."""

from typing import NamedTuple

from score import Score

# Types of personal data that have a structure. Names and postal addresses have none.
STRUCTURED = ("EMAIL", "US_SSN", "CREDIT_CARD", "PHONE", "IBAN", "IP_ADDRESS", "DOB")


class Target(NamedTuple):
    """A bound, what was measured, and whether it holds. `held` is None where nothing could be compared."""

    what: str
    bound: str
    measured: str
    held: bool | None


class Measured:
    """Everything that was measured: scores by set, tool and place."""

    def __init__(self) -> None:
        self.scores: dict[tuple[str, str, str], Score] = {}

    def ours(self, name: str) -> list[tuple[str, Score]]:
        """Our scores over a set, by place."""
        return [(place, it) for (of, tool, place), it in self.scores.items() if of == name and tool == OURS]

    def rival(self, name: str, tool: str) -> Score | None:
        return next((it for (of, by, _), it in self.scores.items() if of == name and by == tool), None)


OURS = "this gateway"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def targets(measured: Measured) -> list[Target]:
    """Every target whose set was measured, in the order of the table."""
    found: list[Target] = []
    for name, recall, rate in (
        ("secret_gitleaks", 0.95, 0.05),
        ("secret_noseyparker", 0.85, 0.15),
        ("secret_detectsecrets", 0.90, 0.12),
    ):
        found += at_least(measured, name, recall) + at_most(measured, name, rate)
    found += at_most(measured, "secret_hardneg", 0.02)
    found += clean(measured) + long_prompts(measured) + personal(measured) + vulnerable(measured)
    found += at_least(measured, "sqli_libinjection", 0.80) + at_most(measured, "sqli_negatives", 0.02)
    return found + at_most(measured, "inj_cyberseceval", 0.005)


def at_least(measured: Measured, name: str, bound: float) -> list[Target]:
    scores = [it.positive.recall or 0.0 for _, it in measured.ours(name)]
    return [Target(f"`{name}` recall", f"≥ {percent(bound)}", percent(it), it >= bound) for it in scores]


def at_most(measured: Measured, name: str, bound: float) -> list[Target]:
    """The worst place counts."""
    worst = max((it.false_rate or 0.0 for _, it in measured.ours(name)), default=None)
    if worst is None:
        return []
    return [Target(f"`{name}` false-positive rate", f"≤ {percent(bound)}", percent(worst), worst <= bound)]


def clean(measured: Measured) -> list[Target]:
    scores = measured.ours("clean_code_crates")
    if not scores:
        return []
    secrets = max(it.per_megabyte("secrets.") or 0.0 for _, it in scores)
    flagged = max(len(it.alarms_of_checker["vuln"]) / max(it.negative_rows, 1) for _, it in scores)
    return [
        Target("clean code, findings of `secrets` per MB", "≤ 0.10", f"{secrets:.2f}", secrets <= 0.1),
        Target("clean files flagged by `vuln`", "≤ 0.50 %", percent(flagged), flagged <= 0.005),
    ]


def long_prompts(measured: Measured) -> list[Target]:
    found = []
    for _, it in measured.ours("secret_longprompts_tune"):
        touch = it.positive.touch or 0.0
        found.append(Target("long prompts, spans found", "≥ 99.00 %", percent(touch), touch >= 0.99))
        found.append(Target("long prompts, false", "0", str(it.false), it.false == 0))
    return found


def personal(measured: Measured) -> list[Target]:
    found = []
    for _, it in measured.ours("pii_codeprompts"):
        for kind in STRUCTURED:
            recall, precision = it.by_type[kind].touch or 0.0, it.precision(kind)
            held = recall >= 0.95 and (precision or 0.0) >= 0.98
            bound = "recall ≥ 95 % at precision ≥ 98 %"
            found.append(Target(f"`pii_codeprompts` {kind}", bound, f"{percent(recall)} at {percent(precision)}", held))
    return found


def vulnerable(measured: Measured) -> list[Target]:
    found = []
    for _, it in measured.ours("vuln_gosec"):
        recall = it.positive.recall or 0.0
        found.append(Target("`vuln_gosec` recall", "> 38.00 %", percent(recall), recall > 0.38))
    found += at_most(measured, "vuln_gosec", 0.05)
    return found + against_bandit(measured)


def against_bandit(measured: Measured) -> list[Target]:
    """Python rows only. On its own examples bandit cannot be beaten: there the comparison is only shown."""
    found = []
    for name, judged in (("vuln_cyberseceval", True), ("vuln_bandit_examples", False)):
        bandit = measured.rival(name, "bandit")
        for _, it in measured.ours(name):
            recall = it.by_language["python"].recall or 0.0
            other = bandit.positive.recall if bandit else None
            held = recall > other if judged and other is not None else None
            found.append(Target(f"`{name}` recall, Python", f"> bandit's {percent(other)}", percent(recall), held))
    return found

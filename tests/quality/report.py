"""The measured figures as Markdown tables, for the terminal and for docs/quality.md."""

from collections.abc import Iterable

from score import Score, Tally
from sets import SETS, Set
from targets import OURS, Measured, Target, percent

# Types and rules of which a table would only say that all is well are left out of it.
TYPES_OF_RULE_MAX = 3
# Findings per MB say nothing of a few kilobytes.
CLEAN_BYTES_MIN = 1_000_000
CHECKERS = ("secrets", "compliance", "security", "agent", "vuln")


def whole(measured: Measured, held: list[Target], facts: list[str]) -> str:
    """The whole generated part."""
    parts = ["\n".join(facts), "### Targets", targets(held), "### By set", by_set(measured)]
    parts += ["### Clean code by checker", clean_code(measured)]
    parts += ["### Secrets by type", secrets_by_type(measured)]
    parts += ["### Personal data by type", personal_by_type(measured)]
    parts += ["### Vulnerable code by type and language", vulnerable(measured)]
    parts += ["### Attacks by type and language", attacks(measured)]
    parts += ["### By rule", by_rule(measured), "### Which secret rule found what", secret_rules(measured)]
    return "\n\n".join(parts) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a sentence in place of one without rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    names = list(head)
    if not lines:
        return "Nothing to list."
    return "\n".join(["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *lines])


def targets(held: list[Target]) -> str:
    words = {True: "met", False: "**missed**", None: "not compared"}
    return table(("what", "bound", "measured", ""), ((it.what, it.bound, it.measured, words[it.held]) for it in held))


def by_set(measured: Measured) -> str:
    """Recall over rows in which something is, false positives over rows in which nothing is."""
    head = (
        "set", "read as", "tool", "rows with", "found", "stopped", "span touched", "span covered",
        "rows without", "false", "falsely stopped", "findings per MB",
    )  # fmt: skip
    rows = []
    for (name, tool, place), it in measured.scores.items():
        ours = tool == OURS
        hit, spans = it.positive, it.positive.spans
        rows.append((
            f"`{name}`", place, tool,
            str(hit.rows), part(hit.found, hit.rows), part(hit.stopped, hit.rows) if ours else "",
            part(hit.touched, spans), part(hit.covered, spans) if ours else "",
            str(it.negative_rows), part(it.false, it.negative_rows),
            part(it.false_stopped, it.negative_rows) if ours else "",
            per_megabyte(it),
        ))  # fmt: skip
    return table(head, rows)


def per_megabyte(score: Score, checker: str = "") -> str:
    return f"{score.per_megabyte(checker):.2f}" if score.negative_bytes >= CLEAN_BYTES_MIN else "–"


def clean_code(measured: Measured) -> str:
    """Ordinary files, by checker."""
    rows = []
    for of, place, it in ours(measured, "clean"):
        for checker in CHECKERS:
            files = len(it.alarms_of_checker[checker])
            rows.append((
                f"`{of.name}`", place, f"`{checker}`", per_megabyte(it, f"{checker}."), part(files, it.negative_rows),
            ))  # fmt: skip
    return table(("set", "read as", "checker", "findings per MB", "files with a finding"), rows)


def part(count: int, of: int) -> str:
    return f"{percent(count / of)} ({count})" if of else "–"


def ratio(tally: Tally) -> str:
    return f"{tally.found}/{tally.rows}" if tally.rows else ""


def ours(measured: Measured, kind: str) -> list[tuple[Set, str, Score]]:
    """Our scores over the sets of a kind, with their places."""
    return [(of, place, it) for of in SETS if of.kind == kind for place, it in measured.ours(of.name)]


def secrets_by_type(measured: Measured) -> str:
    """Only types that are not wholly found, and types with false alarms."""
    parts = []
    for of, _, it in ours(measured, "secrets"):
        short = sorted((kind, tally) for kind, tally in it.by_type.items() if tally.found < tally.rows)
        alarms = sorted((kind, counts) for kind, counts in it.false_by_type.items() if counts[1])
        parts.append(f"`{of.name}`: {len(it.by_type) - len(short)} of {len(it.by_type)} types are wholly found.")
        if short:
            words = ", ".join(f"{kind} {ratio(tally)}" for kind, tally in short)
            parts.append(f"Found in part or not at all: {words}.")
        if alarms:
            parts.append(f"Falsely found: {', '.join(f'{kind} {alarm}/{rows}' for kind, (rows, alarm) in alarms)}.")
    return "\n\n".join(parts) or "Not measured."


def personal_by_type(measured: Measured) -> str:
    parts = []
    for of, _, it in ours(measured, "pii"):
        rows = []
        for kind in sorted(set(it.by_type) | set(it.false_by_type)):
            tally, (without, false) = it.by_type[kind], it.false_by_type[kind]
            rows.append((
                kind, str(tally.rows), part(tally.found, tally.rows), part(tally.touched, tally.spans),
                part(tally.covered, tally.spans), percent(it.precision(kind)), str(without), part(false, without),
            ))  # fmt: skip
        head = ("type", "rows with", "found", "span touched", "span covered", "precision", "rows without", "false")
        parts += [f"`{of.name}`:", table(head, rows)]
    return "\n\n".join(parts) or "Not measured."


def vulnerable(measured: Measured) -> str:
    parts = []
    for of, _, it in ours(measured, "vuln"):
        languages = sorted(it.by_language)
        pairs = it.by_type_and_language
        rows = []
        for kind in sorted(it.by_type):
            cells = [ratio(pairs[kind, language]) if (kind, language) in pairs else "" for language in languages]
            rows.append((kind, *cells, false_of(it, kind)))
        rows.append(("all types", *(ratio(it.by_language[language]) for language in languages), ""))
        parts += [f"`{of.name}`, found of rows:", table(("type", *languages, "false"), rows)]
    return "\n\n".join(parts) or "Not measured."


def false_of(score: Score, kind: str) -> str:
    rows, alarms = score.false_by_type.get(kind, (0, 0))
    return f"{alarms}/{rows}" if rows else ""


def attacks(measured: Measured) -> str:
    parts = []
    for of in (it for it in SETS if it.kind == "attack"):
        scores = measured.ours(of.name)
        if not scores:
            continue
        places = [place for place, _ in scores]
        kinds = sorted({kind for _, it in scores for kind in (*it.by_type, *it.false_by_type)})
        rows = []
        for kind in kinds:
            found = [ratio(it.by_type[kind]) if kind in it.by_type else "" for _, it in scores]
            rows.append((kind, *found, *(false_of(it, kind) for _, it in scores)))
        head = ("type", *(f"found, {it}" for it in places), *(f"false, {it}" for it in places))
        parts += [f"`{of.name}`:", table(head, rows)]
        languages = sorted({language for _, it in scores for language in it.by_language})
        if len(languages) > 1:
            rows = [(language, *(ratio(it.by_language[language]) for _, it in scores)) for language in languages]
            parts.append(table(("language", *(f"found, {it}" for it in places)), rows))
    return "\n\n".join(parts) or "Not measured."


def by_rule(measured: Measured) -> str:
    """Per kind: every rule that found anything, with `rightly found rows / falsely found rows` per set and place."""
    parts = ["Each cell: rows found rightly + rows found falsely. Rules that found nothing are not listed."]
    for kind in dict.fromkeys(it.kind for it in SETS):
        scores = ours(measured, kind)
        rules = sorted({rule for _, _, it in scores for rule in it.by_rule})
        if not rules:
            continue
        several = {of.name for of, place, _ in scores if len(of.places) > 1}
        head = ["rule"] + [of.name + (f", {place}" if of.name in several else "") for of, place, _ in scores]
        rows = []
        for rule in rules:
            cells = [it.by_rule.get(rule, (0, 0, 0)) for _, _, it in scores]
            rows.append((f"`{rule}`", *(f"{right} + {wrong}" if right or wrong else "" for right, wrong, _ in cells)))
        parts += [f"<details><summary>{kind}: {len(rules)} rules</summary>", table(head, rows), "</details>"]
    return "\n\n".join(parts)


def secret_rules(measured: Measured) -> str:
    """For each rule of `secrets`: the types of the rows that it found most often, over all sets."""
    found: dict[str, dict[str, int]] = {}
    for _, _, it in ours(measured, "secrets"):
        for rule, types in it.types_of_rule.items():
            kinds = found.setdefault(rule, {})
            for kind, count in types.items():
                kind = kind.removeprefix("long:")
                kinds[kind] = kinds.get(kind, 0) + count
    rows = []
    for rule, kinds in sorted(found.items()):
        most = sorted(kinds.items(), key=lambda it: (-it[1], it[0]))
        words = ", ".join(f"{kind} ({count})" for kind, count in most[:TYPES_OF_RULE_MAX])
        more = len(most) - TYPES_OF_RULE_MAX
        rows.append((f"`{rule}`", words + (f" and {more} more types" if more > 0 else "")))
    return "<details><summary>rules of `secrets`</summary>\n\n" + table(("rule", "types"), rows) + "\n\n</details>"

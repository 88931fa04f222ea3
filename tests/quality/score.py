"""Counts what was found and what was missed. Knows neither tools nor files."""

from collections import Counter, defaultdict
from typing import NamedTuple


class Found(NamedTuple):
    """One finding. `start` and `end` are bytes; `exact` is false where a tool names only lines."""

    rule: str
    label: str
    start: int
    end: int
    exact: bool = True


class Outcome(NamedTuple):
    """All that a tool said about one row. `stopped` is None for tools that stop nothing."""

    findings: list[Found]
    stopped: bool | None = None


class Tally:
    """Of rows that must be found."""

    def __init__(self) -> None:
        self.rows = self.found = self.stopped = self.spans = self.touched = self.covered = 0

    @property
    def recall(self) -> float | None:
        return self.found / self.rows if self.rows else None

    @property
    def touch(self) -> float | None:
        return self.touched / self.spans if self.spans else None

    @property
    def cover(self) -> float | None:
        return self.covered / self.spans if self.spans else None

    def add(self, outcome: Outcome, spans: list[tuple[int, int]]) -> None:
        self.rows += 1
        self.found += bool(outcome.findings)
        self.stopped += bool(outcome.stopped)
        for span in spans:
            self.spans += 1
            self.touched += any(overlaps(it, span) for it in outcome.findings)
            self.covered += covers([it for it in outcome.findings if it.exact], span)


class Score:
    """One tool over one set in one place."""

    def __init__(self) -> None:
        self.positive = Tally()
        self.negative_rows = self.negative_bytes = 0
        self.false = self.false_stopped = 0
        self.exact = True
        self.by_type: dict[str, Tally] = defaultdict(Tally)
        self.by_language: dict[str, Tally] = defaultdict(Tally)
        self.by_type_and_language: dict[tuple[str, str], Tally] = defaultdict(Tally)
        self.false_by_type: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        # Per rule: rows found rightly, rows found falsely, findings in rows where nothing is.
        self.by_rule: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        # Per rule: the types of the rows that it found.
        self.types_of_rule: dict[str, Counter] = defaultdict(Counter)
        # Per label: findings where something is, findings elsewhere.
        self.by_label: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.labels_of_type: dict[str, Counter] = defaultdict(Counter)
        # Per checker: rows in which it found something although nothing is there.
        self.alarms_of_checker: dict[str, set[int]] = defaultdict(set)
        self.missed: list[int] = []
        self.alarms: list[int] = []

    @property
    def false_rate(self) -> float | None:
        return self.false / self.negative_rows if self.negative_rows else None

    def per_megabyte(self, checker: str = "") -> float | None:
        """Findings per million bytes of rows in which nothing is."""
        if not self.negative_bytes:
            return None
        of_rules = (counts[2] for rule, counts in self.by_rule.items() if rule.startswith(checker))
        return sum(of_rules) / (self.negative_bytes / 1e6)

    def precision(self, kind: str) -> float | None:
        """Of the findings with a label that rows of this type were found by: the part that is right."""
        labels = self.labels_of_type.get(kind)
        if not labels:
            return None
        right = sum(self.by_label[it][0] for it in labels)
        return right / (right + sum(self.by_label[it][1] for it in labels))

    def add(self, index: int, row: dict, outcome: Outcome) -> None:
        if row["label"]:
            self._positive(index, row, outcome)
        else:
            self._negative(index, row, outcome)

    def _positive(self, index: int, row: dict, outcome: Outcome) -> None:
        spans = in_bytes(row)
        kind, language = row["type"], row["lang"]
        for tally in (
            self.positive,
            self.by_type[kind],
            self.by_language[language],
            self.by_type_and_language[kind, language],
        ):
            tally.add(outcome, spans)
        if not outcome.findings:
            self.missed.append(index)
        for rule in {it.rule for it in outcome.findings}:
            self.by_rule[rule][0] += 1
            self.types_of_rule[rule][kind] += 1
        for it in outcome.findings:
            self.exact &= it.exact
            right = not spans or any(overlaps(it, span) for span in spans)
            self.by_label[it.label][0 if right else 1] += 1
            if right:
                self.labels_of_type[kind][it.label] += 1

    def _negative(self, index: int, row: dict, outcome: Outcome) -> None:
        self.negative_rows += 1
        self.negative_bytes += len(row["text"].encode())
        counts = self.false_by_type[row["type"]]
        counts[0] += 1
        if not outcome.findings:
            return
        counts[1] += 1
        self.false += 1
        self.false_stopped += bool(outcome.stopped)
        self.alarms.append(index)
        for rule in {it.rule for it in outcome.findings}:
            self.by_rule[rule][1] += 1
        for it in outcome.findings:
            self.by_rule[it.rule][2] += 1
            self.by_label[it.label][1] += 1
            self.alarms_of_checker[it.rule.split(".")[0]].add(index)


def in_bytes(row: dict) -> list[tuple[int, int]]:
    """The spans of a row, from characters to bytes."""
    text = row["text"]
    if not row["spans"]:
        return []
    offset = (lambda it: it) if text.isascii() else (lambda it: len(text[:it].encode()))
    return [(offset(span[0]), offset(span[1])) for span in row["spans"]]


def overlaps(found: Found, span: tuple[int, int]) -> bool:
    return found.start < span[1] and found.end > span[0]


def covers(findings: list[Found], span: tuple[int, int]) -> bool:
    """Whether the findings together leave no byte of the span."""
    at = span[0]
    for it in sorted(findings, key=lambda it: it.start):
        if it.start > at:
            break
        at = max(at, it.end)
    return at >= span[1]

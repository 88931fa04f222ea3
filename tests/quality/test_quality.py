"""The measure itself: what it counts, what it reads from other scanners, and what it writes."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measure
import report
from score import Found, Outcome, Score
from sets import SETS, Missing, Place, rows, unpack
from targets import OURS, Measured, at_most, personal, targets
from tools import Bandit, Gitleaks, placed

TOKEN = "".join(("made", "-up-", "token"))


def row(text: str, label: bool, spans=None, kind="token", lang="text") -> dict:
    return {"id": text, "type": kind, "lang": lang, "text": text, "spans": spans, "label": label}


def found(start: int, end: int, rule="secrets.a.b", label="A") -> Found:
    return Found(rule, label, start, end)


class Counting(unittest.TestCase):
    def test_spans_are_characters_and_findings_bytes(self) -> None:
        score = Score()
        # Two characters of two bytes each stand before the span: bytes 5 to 9.
        score.add(0, row("öö abcd", True, [[3, 7]]), Outcome([found(5, 9)], True))
        score.add(1, row("öö abcd", True, [[3, 7]]), Outcome([found(5, 7), found(7, 9)], True))
        score.add(2, row("öö abcd", True, [[3, 7]]), Outcome([found(0, 6)], False))
        score.add(3, row("öö abcd", True, [[3, 7]]), Outcome([found(0, 5)], False))
        score.add(4, row("öö abcd", True, [[3, 7]]), Outcome([]))
        it = score.positive
        self.assertEqual((it.rows, it.found, it.stopped, it.touched, it.covered), (5, 4, 2, 3, 2))
        self.assertEqual(score.missed, [4])

    def test_rows_without_anything_count_rows_findings_and_bytes(self) -> None:
        score = Score()
        score.add(0, row("x" * 500_000, False), Outcome([found(0, 1), found(2, 3), found(4, 5, "vuln.a.b")], True))
        score.add(1, row("x" * 500_000, False), Outcome([]))
        self.assertEqual((score.false, score.false_rate, score.false_stopped), (1, 0.5, 1))
        self.assertEqual((score.per_megabyte(), score.per_megabyte("secrets."), score.per_megabyte("pii.")), (3, 2, 0))
        self.assertEqual(score.by_rule["secrets.a.b"], [0, 1, 2])
        self.assertEqual(score.alarms_of_checker["vuln"], {0})

    def test_precision_asks_the_labels_that_find_a_type(self) -> None:
        score = Score()
        mail = row("a b", True, [[0, 1]], "EMAIL")
        score.add(0, mail, Outcome([found(0, 1, label="EMAIL"), found(2, 3, label="EMAIL"), found(2, 3, label="SSN")]))
        score.add(1, row("a b", False), Outcome([found(0, 1, label="EMAIL")]))
        self.assertEqual(score.precision("EMAIL"), 1 / 3)
        self.assertIsNone(score.precision("IBAN"))


class Reading(unittest.TestCase):
    def test_lines_become_bytes(self) -> None:
        text = f"first\nkey = {TOKEN}\nlast"
        line = placed(Found("r", "r", 2, 2, False), text)
        self.assertEqual(text[line.start : line.end], f"key = {TOKEN}\n")
        exact = placed(Found("r", TOKEN, 2, 2), text)
        self.assertEqual((text[exact.start : exact.end], exact.label), (TOKEN, "r"))
        beyond = placed(Found("r", "r", 9, 9, False), text)
        self.assertEqual(text[beyond.start : beyond.end], "last")

    def test_gitleaks_is_run_over_a_file_for_each_row(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            program = folder / "gitleaks"
            program.write_text(STUB)
            program.chmod(0o755)
            it = next(it for it in SETS if it.name == "secret_gitleaks")
            outcomes = Gitleaks(program, "stub").outcomes(it, [row(f"k={TOKEN}", True), row("k", False)], "d", folder)
            expected = [[Found("generic", "generic", 2, 2 + len(TOKEN))], []]
            self.assertEqual([it and it.findings for it in outcomes], expected)
            program.write_text("#!/bin/sh\nexit 9\n")
            again = Gitleaks(program, "stub").outcomes(it, [row(f"k={TOKEN}", True), row("k", False)], "d", folder)
            self.assertEqual(again, outcomes, "the answer is kept")

    def test_bandit_is_for_python(self) -> None:
        bandit = Bandit(Path("bandit"), "1")
        self.assertEqual([bandit.takes(row("", True, lang=it)) for it in ("python", "go")], [True, False])


class Reporting(unittest.TestCase):
    def measured(self) -> Measured:
        measured = Measured()
        for it in SETS:
            for place in it.places:
                score = measured.scores[it.name, OURS, place.name] = Score()
                score.add(0, row("abc", True, [[0, 3]], "EMAIL", "python"), Outcome([found(0, 3)], True))
                score.add(1, row("abc", False), Outcome([]))
        return measured

    def test_a_missed_target_is_told(self) -> None:
        measured = self.measured()
        self.assertTrue(all(it.held for it in at_most(measured, "sqli_negatives", 0.02)))
        measured.scores["sqli_negatives", OURS, "tool input"].add(2, row("x", False), Outcome([found(0, 1)]))
        self.assertEqual([it.held for it in at_most(measured, "sqli_negatives", 0.02)], [False])
        held = {it.what: it.held for it in personal(measured)}
        self.assertTrue(held["`pii_codeprompts` EMAIL"])
        self.assertFalse(held["`pii_codeprompts` IBAN"])

    def test_the_document_keeps_what_is_written_by_hand(self) -> None:
        measured = self.measured()
        text = report.whole(measured, targets(measured), ["- a fact"])
        for name in (it.name for it in SETS):
            self.assertIn(f"`{name}`", text)
        with tempfile.TemporaryDirectory() as name:
            before, measure.DOCUMENT = measure.DOCUMENT, Path(name) / "quality.md"
            try:
                measure.DOCUMENT.write_text(f"head\n{measure.BEGIN}\nold\n{measure.END}\nfoot\n")
                measure.write(text)
                written = measure.DOCUMENT.read_text()
            finally:
                measure.DOCUMENT = before
        self.assertTrue(written.startswith("head\n") and written.endswith("\nfoot\n") and "old" not in written)
        self.assertIn(text, written)

    def test_absent_sets_are_named_with_what_to_do(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            with self.assertRaisesRegex(Missing, "QUALITY_SETS="):
                unpack(Path(name) / "none.tar.xz", Path(name))
            with self.assertRaisesRegex(Missing, "has no secret_gitleaks.jsonl"):
                rows(Path(name), SETS[0])

    def test_places_are_ones_that_the_gateway_knows(self) -> None:
        places = [place for it in SETS for place in it.places]
        self.assertTrue(all(isinstance(it, Place) and it.direction in ("outbound", "inbound") for it in places))


# Finds the token in every file of the folder that `--source` names, and reports as gitleaks does.
STUB = f"""#!/usr/bin/env python3
import json, pathlib, sys
arguments = dict(zip(sys.argv[1:], sys.argv[2:]))
report = []
for path in pathlib.Path(arguments["--source"]).iterdir():
    if {TOKEN!r} in path.read_text():
        report.append({{"RuleID": "generic", "Secret": {TOKEN!r}, "StartLine": 1, "EndLine": 1, "File": str(path)}})
pathlib.Path(arguments["--report-path"]).write_text(json.dumps(report))
"""

if __name__ == "__main__":
    unittest.main()

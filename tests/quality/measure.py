"""Measures what the rules find and what they find falsely, beside other scanners: `make quality`.

Prints Markdown tables and writes them into docs/quality.md, between its two markers. Exit code 0: every target holds;
1: one is missed; 2: it could not be measured.
"""

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path

import report
from score import Score
from sets import SETS, Missing, Place, Set, rows, unpack
from targets import OURS, Measured, targets
from tools import Failed, Rival, rivals, run, scan

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "quality.md"
BEGIN = "<!-- Written by `make quality` from here … -->"
END = "<!-- … to here. -->"


def main() -> int:
    arguments = parse()
    folder = Path(arguments.folder)
    try:
        digest = unpack(Path(arguments.sets), folder / "sets")
        others, notes = ([], []) if arguments.alone else rivals(folder, arguments.install)
        measured = measure(arguments, folder, digest, others, notes)
        facts = facts_of(arguments.program, digest, others, notes)
    except (Missing, Failed) as error:
        print(f"make quality: {error}", file=sys.stderr)
        return 2
    held = targets(measured)
    text = report.whole(measured, held, facts)
    print(text)
    if arguments.write:
        write(text)
    missed = [it for it in held if it.held is False]
    print(f"{sum(it.held is True for it in held)} targets met, {len(missed)} missed")
    for it in missed:
        print(f"missed: {it.what}: {it.measured}, wanted {it.bound}")
    return 1 if missed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, help="the gateway's program")
    parser.add_argument("--sets", required=True, help="the archive with the sets, tune.tar.xz")
    parser.add_argument("--folder", default=str(ROOT / "target" / "quality-sets"), help="where sets and tools are kept")
    parser.add_argument("--only", nargs="*", default=[], metavar="SET", help="measure these sets only")
    parser.add_argument("--alone", action="store_true", help="no other scanner")
    parser.add_argument("--install", action="store_true", help="install other scanners that are not here")
    parser.add_argument("--write", action="store_true", help="write docs/quality.md")
    return parser.parse_args()


def measure(
    arguments: argparse.Namespace, folder: Path, digest: str, others: list[Rival], notes: list[str]
) -> Measured:
    measured = Measured()
    for it in SETS:
        if arguments.only and it.name not in arguments.only:
            continue
        all_rows = rows(folder / "sets", it)
        for place in it.places:
            print(f"{it.name}, {place.name}: {len(all_rows)} rows", file=sys.stderr, flush=True)
            score = ours(arguments.program, it, place, all_rows)
            measured.scores[it.name, OURS, place.name] = score
            keep(folder / "rows", f"{it.name}.{place.name.replace(' ', '_')}", all_rows, score)
        for other in (other for other in others if other.name in it.rivals):
            try:
                print(f"{it.name}, {other.name}", file=sys.stderr, flush=True)
                score = theirs(other, it, all_rows, digest, folder)
                measured.scores[it.name, other.name, "files"] = score
            except Failed as error:
                notes.append(f"{other.name} is not counted for {it.name}: {error}")
    return measured


def ours(program: Path, it: Set, place: Place, all_rows: list[dict]) -> Score:
    score = Score()
    for index, (row, outcome) in enumerate(zip(all_rows, scan(program, it, place, all_rows), strict=True)):
        score.add(index, row, outcome)
    return score


def theirs(other: Rival, it: Set, all_rows: list[dict], digest: str, folder: Path) -> Score:
    score = Score()
    outcomes = other.outcomes(it, all_rows, digest, folder / "rivals")
    for index, (row, outcome) in enumerate(zip(all_rows, outcomes, strict=True)):
        if outcome is not None:
            score.add(index, row, outcome)
    return score


def keep(folder: Path, name: str, all_rows: list[dict], score: Score) -> None:
    """The rows that were missed or falsely found, for whoever works on the rules."""
    folder.mkdir(parents=True, exist_ok=True)
    for what, indices in (("missed", score.missed), ("false", score.alarms)):
        lines = [json.dumps(all_rows[index]) + "\n" for index in indices]
        (folder / f"{name}.{what}.jsonl").write_text("".join(lines))


def facts_of(program: Path, digest: str, others: list[Rival], notes: list[str]) -> list[str]:
    """When and with what it was measured."""
    version = run([str(program), "--version"], 60).stdout.decode().split()[-1]
    listed = run([str(program), "rules", "list", "--json"], 60).stdout
    count = len(listed.splitlines())
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    facts = [
        f"- Measured on {today}: version {version} at commit {commit or 'unknown'}, {count} rules.",
        f"- Sets: the archive whose SHA-256 begins with `{digest}`.",
    ]
    facts += [f"- Beside it: {it.name} {it.version}." for it in others]
    return facts + [f"- {note[0].upper()}{note[1:]}." for note in notes]


def write(text: str) -> None:
    """Puts the figures between the markers of the document; what stands around them stays."""
    document = DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

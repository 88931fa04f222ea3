"""Runs the gateway's own `scan`, and other scanners over the same rows."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from bisect import bisect_right
from pathlib import Path

from score import Found, Outcome
from sets import Place, Set

HERE = Path(__file__).parent
# What a scanner may take for one set, seconds. One that needs longer is not counted for that set.
RIVAL_SECONDS_MAX = 900
SCAN_SECONDS_MAX = 900
SUFFIXES = {
    "python": "py", "rust": "rs", "toml": "toml", "yaml": "yaml", "markdown": "md", "c": "c", "shell": "sh",
    "json": "json", "go": "go",
}  # fmt: skip


class Failed(Exception):
    """A tool did not do what it was asked; the message says what it said."""


def scan(program: Path, it: Set, place: Place, rows: list[dict]) -> list[Outcome]:
    """The gateway's rules over every row, as text of that place. Vulnerable code is given with its language."""
    lines = []
    for index, row in enumerate(rows):
        line = {"id": index, "text": row["text"], "direction": place.direction, "source": place.source}
        if it.kind in ("vuln", "clean"):
            line["language"] = row["lang"]
        lines.append(json.dumps(line))
    command = [str(program), "scan", "--jsonl", "--checks", place.checks, "--config", str(HERE / "gateway.yaml"), "-"]
    text = "".join(f"{line}\n" for line in lines)
    done = run(command, SCAN_SECONDS_MAX, text.encode())
    # 1 says that something would be stopped.
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    if done.returncode not in (0, 1) or [it["id"] for it in answers] != list(range(len(rows))):
        raise Failed(f"{it.name}: {done.stderr.decode().strip() or 'not every row was answered'}")
    outcomes = []
    for answer in answers:
        findings = [Found(f["rule"], f["type"], f["start"], f["end"]) for f in answer["findings"]]
        outcomes.append(Outcome(findings, answer["action"] in ("redact", "block")))
    return outcomes


def run(command: list[str], seconds: int, stdin: bytes = b"", folder: Path | None = None) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, cwd=folder, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{Path(command[0]).name} took longer than {seconds} s") from None


class Rival:
    """A scanner that is run over files, one file a row."""

    name = ""

    def __init__(self, program: Path, version: str) -> None:
        self.program = program
        self.version = version

    def takes(self, row: dict) -> bool:
        """Whether it is for such rows at all; the others are not counted for it."""
        return True

    def read(self, folder: Path) -> list[tuple[str, Found]]:
        """Scans the folder. Gives file names with what was found in each; lines from 1 stand in place of offsets."""
        raise NotImplementedError

    def outcomes(self, it: Set, rows: list[dict], digest: str, kept: Path) -> list[Outcome | None]:
        """`None` for rows that it is not for. Kept per version and archive: its answers do not change with our rules."""
        key = hashlib.sha256(f"{self.name} {self.version} {digest} {it.name} 1".encode()).hexdigest()[:16]
        path = kept / f"{self.name}-{it.name}-{key}.json"
        if path.is_file():
            known = json.loads(path.read_text())
            return [None if row is None else Outcome([Found(*it) for it in row]) for row in known]
        with tempfile.TemporaryDirectory(prefix="quality-") as name:
            folder = Path(name)
            names = {}
            for index, row in enumerate(rows):
                if self.takes(row):
                    file = f"row{index}.{SUFFIXES.get(row['lang'], 'txt')}"
                    names[file] = index
                    (folder / file).write_bytes(row["text"].encode())
            outcomes: list[Outcome | None] = [Outcome([]) if self.takes(row) else None for row in rows]
            for file, found in self.read(folder):
                index = names[Path(file).name]
                outcome = outcomes[index]
                assert outcome is not None
                outcome.findings.append(placed(found, rows[index]["text"]))
        kept.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([None if row is None else [list(it) for it in row.findings] for row in outcomes]))
        return outcomes


def placed(found: Found, text: str) -> Found:
    """From the lines that a tool names to the bytes of these lines."""
    raw = text.encode()
    starts = [0] + [at + 1 for at, byte in enumerate(raw) if byte == 10]
    if found.exact:
        # A tool that shows what it found: its first place from the named line on.
        line = starts[min(found.start, len(starts)) - 1]
        at = raw.find(found.label.encode(), line)
        at = raw.find(found.label.encode()) if at < 0 else at
        if at >= 0:
            return Found(found.rule, found.rule, at, at + len(found.label.encode()))
    start = starts[min(max(found.start, 1), len(starts)) - 1]
    last = bisect_right(starts, starts[min(max(found.end, 1), len(starts)) - 1])
    end = starts[last] if last < len(starts) else len(raw)
    return Found(found.rule, found.rule, start, max(end, start + 1), False)


class Gitleaks(Rival):
    name = "gitleaks"

    def read(self, folder: Path) -> list[tuple[str, Found]]:
        report = folder.parent / f"{folder.name}.json"
        command = [str(self.program), "detect", "--no-git", "--no-banner", "--exit-code", "0", "--report-format", "json"]
        done = run([*command, "--report-path", str(report), "--source", str(folder)], RIVAL_SECONDS_MAX)
        if done.returncode != 0 or not report.is_file():
            raise Failed(f"gitleaks: {done.stderr.decode().strip()[-300:]}")
        found = json.loads(report.read_text() or "[]") or []
        report.unlink()
        return [(it["File"], Found(it["RuleID"], it["Secret"], it["StartLine"], it["EndLine"])) for it in found]


class DetectSecrets(Rival):
    name = "detect-secrets"

    def read(self, folder: Path) -> list[tuple[str, Found]]:
        # Without verification: it would ask the vendors.
        done = run([str(self.program), "scan", "--all-files", "--no-verify", "."], RIVAL_SECONDS_MAX, folder=folder)
        if done.returncode != 0:
            raise Failed(f"detect-secrets: {done.stderr.decode().strip()[-300:]}")
        results = json.loads(done.stdout)["results"]
        return [
            (file, Found(it["type"], it["type"], it["line_number"], it["line_number"], False))
            for file, found in results.items()
            for it in found
        ]


class Bandit(Rival):
    name = "bandit"

    def takes(self, row: dict) -> bool:
        return row["lang"] == "python"

    def read(self, folder: Path) -> list[tuple[str, Found]]:
        done = run([str(self.program), "-r", "-q", "-f", "json", str(folder)], RIVAL_SECONDS_MAX)
        if done.returncode not in (0, 1):
            raise Failed(f"bandit: {done.stderr.decode().strip()[-300:]}")
        return [
            (it["filename"], Found(it["test_id"], it["test_id"], it["line_number"], max(it["line_range"]), False))
            for it in json.loads(done.stdout)["results"]
        ]


def rivals(folder: Path, install: bool) -> tuple[list[Rival], list[str]]:
    """The scanners that are here, or could be installed, and a sentence on each that is not."""
    found: list[Rival] = []
    notes = []
    gitleaks = shutil.which("gitleaks") or (install and apt("gitleaks") and shutil.which("gitleaks"))
    if gitleaks:
        version = run([gitleaks, "version"], 60).stdout.decode().strip()
        found.append(Gitleaks(Path(gitleaks), version))
    else:
        notes.append("gitleaks was not run: it is neither on the PATH nor a package of this system")
    for kind in (DetectSecrets, Bandit):
        program = folder / "venv" / "bin" / kind.name
        if not program.is_file() and install:
            pip(folder / "venv", kind.name)
        if program.is_file():
            words = run([str(program), "--version"], 60).stdout.decode().split("\n")[0].split()
            found.append(kind(program, words[-1]))
        else:
            notes.append(f"{kind.name} was not run: it could not be installed from the package index")
    notes.append("semgrep was not run: its rules come from the network at run time")
    return found, notes


def apt(package: str) -> bool:
    """Installs a package of the system, where the system has it and we may."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    try:
        known = run(["apt-cache", "policy", package], 60).stdout
        return bool(known.strip()) and run(["apt-get", "install", "-y", "-qq", package], 300).returncode == 0
    except Failed:
        return False


def pip(venv: Path, package: str) -> None:
    print(f"installing {package} below {venv.parent}", file=sys.stderr, flush=True)
    try:
        if not venv.is_dir():
            run([sys.executable, "-m", "venv", str(venv)], 300)
        run([str(venv / "bin" / "pip"), "install", "-q", package], 600)
    except (Failed, OSError):
        # The caller sees that the program is not there, and says so.
        return

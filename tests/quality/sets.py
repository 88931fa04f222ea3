"""What the measured sets are, and in which place of an exchange each is scanned."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where the rows of a set are taken to stand, and the checkers that look at them."""

    name: str
    direction: str
    source: str
    checks: str


class Set(NamedTuple):
    """A file of rows and the places that it is scanned in."""

    name: str
    kind: str
    places: tuple[Place, ...]
    rivals: tuple[str, ...]
    worth: str


EVERY_CHECKER = "secrets,compliance,security,agent,vuln"
PROMPT = Place("prompt", "outbound", "user", "secrets")
ANSWER = Place("completion", "inbound", "assistant", "vuln")
ATTACKS = (
    Place("tool result", "outbound", "tool_result", "security,agent"),
    Place("user", "outbound", "user", "security,agent"),
)
TOOL_INPUT = (Place("tool input", "inbound", "tool_input", "agent"),)
EVERYWHERE = (
    Place("tool result", "outbound", "tool_result", EVERY_CHECKER),
    Place("prompt", "outbound", "user", EVERY_CHECKER),
    Place("completion", "inbound", "assistant", EVERY_CHECKER),
)
FOR_SECRETS = ("gitleaks", "detect-secrets")


def secrets(name: str, worth: str) -> Set:
    return Set(name, "secrets", (PROMPT,), FOR_SECRETS, worth)


SETS = (
    secrets("secret_gitleaks", "rule tests of gitleaks, for the most part generated from its patterns: shapes, not realism"),
    secrets("secret_betterleaks", "rule tests of a fork of gitleaks; overlaps with the set before"),
    secrets("secret_noseyparker", "rule tests of Nosey Parker; its false rows are partly decisions about scope"),
    secrets("secret_detectsecrets", "unit tests of detect-secrets"),
    secrets("secret_hardneg", "generated: placeholders, references, hashes, ids, media, public keys, lock files"),
    secrets("secret_longprompts_tune", "generated: prompts of 30 KB, real source files with one secret in half of them"),
    Set("clean_code_crates", "clean", EVERYWHERE, FOR_SECRETS, "ordinary source files: what is found in them is almost surely false"),
    Set("pii_codeprompts", "pii", (Place("prompt", "outbound", "user", "compliance"),), (), "generated prompts about code with personal data in them"),
    Set("pii_presidio_tests", "pii", (Place("prompt", "outbound", "user", "compliance"),), (), "unit tests of Presidio's recognisers, of many countries"),
    Set("vuln_gosec", "vuln", (ANSWER,), (), "test programs of gosec; the false rows are the repaired versions"),
    Set("vuln_bandit_examples", "vuln", (ANSWER,), ("bandit",), "example files of bandit; only five false rows"),
    Set("vuln_cyberseceval", "vuln", (ANSWER,), ("bandit",), "snippets of eight languages labelled by one tool's rules; no false rows"),
    Set("sqli_libinjection", "attack", TOOL_INPUT, (), "test strings of libinjection; its false rows are odd, not ordinary"),
    Set("sqli_negatives", "attack", TOOL_INPUT, (), "generated: legitimate SQL, prose and lines of code"),
    Set("inj_cyberseceval", "attack", ATTACKS, (), "prompt injections in many languages, and harmless prompts about security"),
    Set("inj_injecagent", "attack", ATTACKS, (), "tool answers with orders in them; the `base` half has no attack wording at all"),
)


class Missing(Exception):
    """The sets are not there; the message says what to do."""


def unpack(archive: Path, folder: Path) -> str:
    """Unpacks the archive's sets into `folder`, once per archive. Returns the archive's SHA-256, shortened."""
    if not archive.is_file():
        raise Missing(
            f"The sets are not here: {archive} does not exist.\n"
            "They are not part of the repository. Name the archive: make quality QUALITY_SETS=/path/to/tune.tar.xz\n"
            "It holds a JSON-lines file per set; tests/quality/README.md says which, and what a row looks like."
        )
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
    stamp = folder / "unpacked"
    if stamp.is_file() and stamp.read_text() == digest:
        return digest
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isfile() and name.endswith(".jsonl"):
                content = tar.extractfile(member)
                assert content is not None
                (folder / name).write_bytes(content.read())
    stamp.write_text(digest)
    return digest


def rows(folder: Path, it: Set) -> list[dict]:
    """The rows of a set: `{"id", "type", "lang", "text", "spans", "label"}`, spans in characters."""
    path = folder / f"{it.name}.jsonl"
    if not path.is_file():
        raise Missing(f"The archive has no {it.name}.jsonl: is it the archive of the tuning sets?")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]

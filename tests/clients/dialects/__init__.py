"""The APIs that the loopback provider speaks: which path is which, what an ask says, how an answer is written.

An answer is a dictionary that every dialect understands:
``parts``: list of ``{"text"}``, ``{"tool", "input": object}`` or ``{"custom", "input": text}``;
``cut``: characters of one delta (all at once when absent).
"""

import re
from dataclasses import dataclass, field

PLACEHOLDER = re.compile(r"\[REDACTED:[A-Z0-9_]+(?::[A-Za-z0-9_-]+)?\]")
CUT_DEFAULT = 1_000_000


@dataclass
class Ask:
    """What a request says, whatever its dialect."""

    model: str = ""
    stream: bool = False
    last: str = "user"
    """Who spoke last: ``user`` or ``tool``."""
    tools: list[str] = field(default_factory=list)
    include_usage: bool = False


def cuts(text: str, answer: dict) -> list[str]:
    """The deltas of a text; one empty delta for an empty text."""
    size = answer.get("cut") or CUT_DEFAULT
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def filled(value: object, body: str) -> object:
    """Every ``<<placeholder>>`` replaced by the first redaction label that the request holds."""
    if isinstance(value, str):
        found = PLACEHOLDER.search(body)
        return value.replace("<<placeholder>>", found.group() if found else "(the prompt held no placeholder)")
    if isinstance(value, list):
        return [filled(item, body) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, body) for key, item in value.items()}
    return value


def endpoint(path: str) -> str | None:
    """The API that a path belongs to, or None."""
    bare = path.split("?")[0]
    for ending, name in ENDINGS:
        if bare.endswith(ending):
            return name
    return "models" if re.search(r"/models/[^/]+$", bare) else None


ENDINGS = [
    ("/messages/count_tokens", "count_tokens"),
    ("/messages", "messages"),
    ("/chat/completions", "chat"),
    ("/responses", "responses"),
    ("/completions", "completions"),
    ("/embeddings", "embeddings"),
    ("/models", "models"),
]

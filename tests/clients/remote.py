"""What a test says to the stage and asks of it: script the provider, look at what went in and out at each end."""

import base64
import json
import os
import re
import time
import urllib.request
from dataclasses import dataclass

GATEWAY_URL = os.environ.get("STAGE_GATEWAY_URL", "")
CONTROL_URL = os.environ.get("STAGE_CONTROL_URL", "")
GATEWAY_KEY = os.environ.get("STAGE_GATEWAY_KEY", "")
PROVIDER_KEYS = json.loads(os.environ.get("STAGE_PROVIDER_KEYS", "{}"))
DIRECT = bool(os.environ.get("STAGE_DIRECT"))

LABEL = re.compile(rb"\[REDACTED:[A-Z0-9_]+(?::[A-Za-z0-9_-]+)?\]")


@dataclass
class Request:
    """A request as the provider or the tap received it."""

    method: str
    path: str
    headers: dict
    body: bytes
    aborted: bool = False


def call(name: str, document: object | None = None) -> dict:
    """One call of the control listener."""
    data = None if document is None else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{CONTROL_URL}/__{name}", data=data), timeout=30) as answer:
        return json.loads(answer.read())


def reset() -> None:
    """Forgets all that happened and, behind a gateway, ends every open connection of the provider."""
    call("reset", {"cut": not DIRECT})


def script(*answers: dict) -> None:
    """Appends answers to the provider's script."""
    call("script", list(answers))


def open_sockets() -> None:
    """Has the provider accept WebSockets until the next reset."""
    call("sockets", {})


def text(words: str, **more: object) -> dict:
    """An answer of one text."""
    return {"parts": [{"text": words}], **more}


def tool(name: str, arguments: dict, **more: object) -> dict:
    """An answer of one tool call."""
    return {"parts": [{"tool": name, "input": arguments}], **more}


def read(entry: dict) -> Request:
    """A request out of what the control listener tells."""
    headers = dict(entry["headers"])
    body = base64.b64decode(entry["body_base64"])
    return Request(entry["method"], entry["path"], headers, body, entry.get("aborted", False))


def received() -> list[Request]:
    """What the provider received since the last reset."""
    return [read(entry) for entry in call("requests")["requests"]]


def asked() -> list[Request]:
    """What the client sent since the last reset."""
    return [read(entry) for entry in call("tap")["requests"]]


def answered() -> str:
    """The bytes that the client was sent since the last reset, framing included."""
    return call("tap")["answered"]


def connections() -> int:
    """How many connections the provider saw opened since the last reset."""
    return call("requests")["connections"]


def eventually(holds, seconds: float = 5) -> bool:
    """Whether something becomes true soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


def same_bodies() -> None:
    """Every body arrived at the provider byte for byte as the client sent it."""
    sent = [request.body for request in asked()]
    got = [request.body for request in received()]
    assert sent == got, f"bodies differ:\n sent {sent}\n got  {got}"


def redacted_only(secret: str) -> str:
    """The last body arrived with each occurrence of the secret replaced by a label and nothing else changed.

    Returns the label."""
    sent, got = asked()[-1].body, received()[-1].body
    written = json.dumps(secret)[1:-1].encode()
    assert written in sent, "the test's own request does not hold the secret"
    assert written not in got, f"the provider received the secret: {got!r}"
    labels = set(LABEL.findall(got))
    assert len(labels) == 1, f"expected one label at the provider, got {labels} in {got!r}"
    label = labels.pop()
    assert got.replace(label, written) == sent, f"more than the secret was changed:\n sent {sent!r}\n got  {got!r}"
    return label.decode()


def untouched_provider() -> None:
    """Exactly one request from the client, none at the provider, not even a connection."""
    assert len(asked()) == 1, f"the client asked {len(asked())} times: {[request.path for request in asked()]}"
    assert received() == [], f"the provider received {received()}"
    assert connections() == 0, f"the provider saw {connections()} connections"

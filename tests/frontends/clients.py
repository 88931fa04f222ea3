"""Developers behind a front end: short requests and long streams over TLS, each on a connection of its own."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import uuid
import zlib
from dataclasses import dataclass, field

from balancers import NAME

WORDS = "All is well, and so it goes on for a while. "
ANSWER_SECONDS_MAX = 30


@dataclass
class Seen:
    """What one client saw of one request."""

    session: str
    long: bool
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = 0.0
    ended: float = 0.0
    status: int = 0
    body: str = ""
    text: str = ""
    error: str = ""
    complete: bool = False
    first_byte: threading.Event = field(default_factory=threading.Event)

    def problem(self) -> str:
        """Why this is not a success, in words; empty if it is one."""
        if self.status == 200 and self.complete:
            return ""
        return f"{'long' if self.long else 'short'} {self.session}: status {self.status}, {self.error or self.body[:200]!r}"


class Client:
    """Knows the address of a front end and trusts its certificate."""

    def __init__(self, port: int, certificate: str) -> None:
        self.port = port
        self.trust = ssl.create_default_context(cafile=certificate)

    def connect(self, name: str = NAME, seconds_max: float = ANSWER_SECONDS_MAX, address: str = "127.0.0.1") -> ssl.SSLSocket:
        """A TLS connection from an address that asks for a name."""
        plain = socket.create_connection(("127.0.0.1", self.port), seconds_max, source_address=(address, 0))
        try:
            return self.trust.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def send(self, body: dict, headers: dict, seconds_max: float = ANSWER_SECONDS_MAX) -> http.client.HTTPConnection:
        """Sends a request; returns the connection, on which the answer is still to come."""
        connection = http.client.HTTPConnection(NAME)
        connection.sock = self.connect(seconds_max=seconds_max, address=home(headers.get("x-claude-code-session-id", "")))
        sent = {"content-type": "application/json", "x-api-key": "made-up", "anthropic-version": "2023-06-01"} | headers
        try:
            connection.request("POST", "/v1/messages", json.dumps(body), sent)
        except BaseException:
            connection.close()
            raise
        return connection

    def open(self, body: dict, headers: dict, seconds_max: float = ANSWER_SECONDS_MAX):
        """Sends a request; returns the connection and its answer, whose body is still to be read."""
        connection = self.send(body, headers, seconds_max)
        try:
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def ask(self, session: str, prompt: str = "hello", long: bool = False, seconds_max: float = ANSWER_SECONDS_MAX, seen: Seen | None = None) -> Seen:
        """One whole exchange; never raises, what went wrong stands in what was seen."""
        seen = seen or Seen(session, long)
        seen.began = time.monotonic()
        headers = {"x-claude-code-session-id": session, "x-marker": seen.marker}
        try:
            connection, answer = self.open(message(prompt, stream=long), headers, seconds_max)
            with contextlib.closing(connection):
                seen.status = answer.status
                read_events(answer, seen) if long and answer.status == 200 else read_whole(answer, seen)
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen.error = f"{type(error).__name__}: {error}"
        seen.ended = time.monotonic()
        return seen


def home(session: str) -> str:
    """The loopback address that a session comes from: developers have machines of their own."""
    return f"127.0.0.{2 + zlib.crc32(session.encode()) % 250}"


def message(prompt: str, stream: bool = False) -> dict:
    """A request in the dialect of Anthropic."""
    messages = [{"role": "user", "content": prompt}]
    return {"model": "claude-sonnet-4-6", "max_tokens": 64, "stream": stream, "messages": messages}


def read_whole(answer: http.client.HTTPResponse, seen: Seen) -> None:
    """A JSON answer; complete if it is one of the model."""
    seen.body = answer.read().decode()
    seen.first_byte.set()
    seen.complete = answer.status == 200 and json.loads(seen.body)["type"] == "message"


def read_events(answer: http.client.HTTPResponse, seen: Seen) -> None:
    """A stream; complete if it has its last event and all bytes that its framing announced."""
    for line in answer:
        seen.first_byte.set()
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        if event["type"] == "content_block_delta":
            seen.text += event["delta"]["text"]
        last = event["type"] == "message_stop"
        seen.complete = seen.complete or last


class Load:
    """Short requests and long streams until told to stop; all that was seen is kept."""

    def __init__(self, client: Client, shorts: int, longs: int, long_seconds_max: float) -> None:
        self.client, self.long_seconds_max = client, long_seconds_max
        self.lock = threading.Lock()
        self.all: list[Seen] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(f"short-{n}", False)) for n in range(shorts)]
        self.threads += [threading.Thread(target=self.work, args=(f"long-{n}", True)) for n in range(longs)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def work(self, session: str, long: bool) -> None:
        """One developer: the next request when the last one has ended."""
        while not self.stopping.is_set():
            seen = Seen(session, long)
            with self.lock:
                self.all.append(seen)
            self.client.ask(session, "a long one" if long else "hello", long, self.long_seconds_max, seen)
            self.stopping.wait(0.1)

    def failures(self) -> list[Seen]:
        """Everything that was not a success."""
        with self.lock:
            return [seen for seen in self.all if seen.ended and seen.problem()]

    def streaming(self) -> list[Seen]:
        """The streams that have begun to arrive and not ended."""
        return [seen for seen in self.in_flight() if seen.long and seen.first_byte.is_set()]

    def in_flight(self) -> list[Seen]:
        """Everything that has begun and not ended."""
        with self.lock:
            return [seen for seen in self.all if seen.began and not seen.ended]

"""A loopback AI provider: speaks the vendors' dialects, answers by script, remembers every request it got.

Two listeners: the provider itself, and a control listener, so that a test can tell that not even a connection was made.

Control: ``POST /__script`` a JSON list of answers; ``POST /__reset`` forget all, ``{"cut": true}`` end open connections;
``POST /__go`` opens the gate that a stream waits at; ``POST /__sockets`` has upgrades to a WebSocket accepted until
the next reset (its messages are requests of the method MESSAGE); ``GET /__requests`` what came in.

An answer (see ``dialects``) may also hold ``when`` (``path``, ``body`` substrings, ``last`` user or tool, ``tools``),
``times`` (1 unless told, 0 for ever), ``delay_ms`` between events, ``write_bytes`` of one write,
``encoding`` (gzip or deflate), ``headers``, ``gate`` (how many events go out before the stream waits for ``/__go``;
if nobody comes, the connection is cut), and instead of ``parts`` an ``error`` of ``status``, ``headers``, ``body``.
"""

import argparse
import base64
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import frames
from dialects import Ask, chat, endpoint, filled, messages, responses

MODELS = ["claude-sonnet-4-6", "claude-opus-4-6", "claude-haiku-4-5", "gpt-4o", "gpt-5", "text-embedding-3-small", "o9-secret"]
DEFAULT_ANSWER = {"parts": [{"text": "Hello from the loopback provider."}]}
SPEAKERS = {
    "messages": (messages.read, messages.whole, messages.events),
    "chat": (chat.read, chat.whole, chat.events),
    "completions": (chat.read, chat.whole_legacy, chat.events_legacy),
    "responses": (responses.read, responses.whole, responses.events),
}


class Memory:
    """What came in and what is to be answered; shared by all threads, guarded by its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: list[dict] = []
        self.script: list[dict] = []
        self.connections_opened = 0
        self.open_sockets: dict[int, socket.socket] = {}
        self.number = 0
        self.gate = threading.Event()
        self.sockets = False

    def connected(self, connection: socket.socket) -> int:
        """Registers a connection and gives it an id."""
        with self.lock:
            self.connections_opened += 1
            self.number += 1
            self.open_sockets[self.number] = connection
            return self.number

    def disconnected(self, connection_id: int) -> None:
        """Forgets a connection that ended."""
        with self.lock:
            self.open_sockets.pop(connection_id, None)

    def came_in(self, request: dict) -> int:
        """Remembers a request and gives it a number."""
        with self.lock:
            self.number += 1
            self.requests.append(request | {"number": self.number})
            return self.number

    def gave_up(self, number: int) -> None:
        """Remembers that the other side left before its answer was complete."""
        with self.lock:
            for request in self.requests:
                if request["number"] == number:
                    request["aborted"] = True

    def answer_for(self, path: str, ask: Ask, body: str) -> dict:
        """The first scripted answer whose conditions hold."""
        with self.lock:
            for answer in self.script:
                if holds(answer.get("when", {}), path, ask, body):
                    left = answer.get("times", 1)
                    if left == 1:
                        self.script.remove(answer)
                    elif left > 1:
                        answer["times"] = left - 1
                    return filled(answer, body)
        return DEFAULT_ANSWER

    def reset(self, cut: bool) -> None:
        """Forgets everything; ``cut`` ends every open connection, so that the next caller has to open one."""
        with self.lock:
            for connection in self.open_sockets.values() if cut else []:
                end(connection)
            self.requests, self.script, self.connections_opened = [], [], 0
            self.gate.clear()
            self.sockets = False

    def told(self) -> dict:
        """All that came in since the last reset."""
        with self.lock:
            return {"connections": self.connections_opened, "requests": list(self.requests)}


def end(connection: socket.socket) -> None:
    """Shuts a connection whose thread may be reading from it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def holds(when: dict, path: str, ask: Ask, body: str) -> bool:
    """Whether a scripted answer is meant for this request."""
    return (
        when.get("path", "") in path
        and when.get("body", "") in body
        and when.get("last", ask.last) == ask.last
        and when.get("tools", bool(ask.tools)) == bool(ask.tools)
    )


class Provider(BaseHTTPRequestHandler):
    """One connection of a client of the provider."""

    protocol_version = "HTTP/1.1"
    memory: Memory
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connection_id = self.memory.connected(self.connection)

    def finish(self) -> None:
        self.memory.disconnected(self.connection_id)
        try:
            super().finish()
        except OSError:
            pass  # The client went away first, which is its right.

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            pass

    def log_message(self, *_: object) -> None:
        """Quiet: what came in is told by the control listener."""

    def do_HEAD(self) -> None:
        self.take()
        self.send_bytes(200, b"", {"content-type": "text/plain"})

    def do_GET(self) -> None:
        number, _ = self.take()
        if self.headers.get("upgrade") and self.memory.sockets and endpoint(self.path) == "responses":
            return self.converse()
        if self.headers.get("upgrade"):
            return self.send_json(426, {"error": {"message": "no upgrade here", "type": "invalid_request_error"}}, number)
        if endpoint(self.path) == "models":
            return self.send_json(200, self.models(), number)
        self.send_json(404, not_found(self.path), number)

    def do_POST(self) -> None:
        number, body = self.take()
        name = endpoint(self.path)
        try:
            document = json.loads(body)
        except ValueError:
            return self.send_json(400, invalid("The body is not JSON."), number)
        if name == "count_tokens":
            return self.send_json(200, {"input_tokens": max(1, len(body) // 4)}, number)
        if name == "embeddings":
            return self.send_json(200, embeddings(document), number)
        if name not in SPEAKERS:
            return self.send_json(404, not_found(self.path), number)
        self.speak(name, document, body.decode("utf-8", "replace"), number)

    def converse(self) -> None:
        """Answers the messages of a WebSocket until it ends."""
        self.close_connection = True
        offers = self.headers.get("sec-websocket-extensions", "")
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", frames.accept(self.headers["sec-websocket-key"]))
        if "permessage-deflate" in offers:
            self.send_header("sec-websocket-extensions", "permessage-deflate")
        self.end_headers()
        reader, said = frames.Reader(), ""
        while data := self.rfile.read1(CHUNK_BYTES_MAX):
            for code, payload in reader.feed(data):
                if code == frames.CLOSE:
                    return self.wfile.write(frames.frame(payload, frames.CLOSE))
                if code == frames.PING:
                    self.wfile.write(frames.frame(payload, frames.PONG))
                if code == frames.TEXT:
                    # A later message holds only what is new: what an answer is filled with may stand in an earlier one.
                    said += payload.decode()
                    self.answer_message(payload, said)

    def answer_message(self, payload: bytes, said: str) -> None:
        """Remembers a message and answers one that asks for an answer."""
        headers = [[key.lower(), value] for key, value in self.headers.items()]
        body = base64.b64encode(payload).decode()
        about = {"connection": self.connection_id, "method": "MESSAGE", "path": self.path, "headers": headers}
        number = self.memory.came_in(about | {"body_base64": body})
        document = json.loads(payload)
        if document.get("type") != "response.create":
            return
        ask = responses.read(document)
        warm = document.get("generate") is False
        answer = {"parts": []} if warm else self.memory.answer_for(self.path, ask, said)
        if "error" in answer:
            error = answer["error"]
            event = {"type": "error", "status": error["status"], **error["body"]}
            return self.wfile.write(frames.frame(json.dumps(event).encode()))
        for _, data in responses.events(ask, answer, number):
            self.wfile.write(frames.frame(data.encode()))

    def take(self) -> tuple[int, bytes]:
        """Reads the whole request and remembers it."""
        raw = self.read_body()
        request = {
            "connection": self.connection_id,
            "method": self.command,
            "path": self.path,
            "headers": [[key.lower(), value] for key, value in self.headers.items()],
            "body_base64": base64.b64encode(raw).decode(),
        }
        plain = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
        return self.memory.came_in(request), plain

    def read_body(self) -> bytes:
        """The body as it came, chunked framing removed."""
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # Trailers are of no interest.
        return body

    def models(self) -> dict:
        """The list of models in the dialect that the headers ask for."""
        if self.headers.get("anthropic-version"):
            data = [{"type": "model", "id": model, "display_name": model, "created_at": "2025-01-01T00:00:00Z"} for model in MODELS]
            return {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        data = [{"id": model, "object": "model", "created": chat.CREATED, "owned_by": "loopback"} for model in MODELS]
        return {"object": "list", "data": data}

    def speak(self, name: str, document: dict, body: str, number: int) -> None:
        """Answers by script in the dialect of the path."""
        read, whole, events = SPEAKERS[name]
        ask = read(document)
        answer = self.memory.answer_for(self.path, ask, body)
        if "error" in answer:
            error = answer["error"]
            return self.send_json(error["status"], error["body"], number, error.get("headers", {}))
        if ask.stream:
            return self.stream(events(ask, answer, number), answer, number)
        time.sleep(answer.get("delay_ms", 0) / 1000)
        self.send_json(200, whole(ask, answer, number), number, answer.get("headers", {}), answer.get("encoding"))

    def stream(self, events, answer: dict, number: int) -> None:
        """Sends events and notices when the other side leaves."""
        try:
            self.send_events(events, answer, number)
        except (ConnectionError, BrokenPipeError):
            self.memory.gave_up(number)
            self.close_connection = True

    def send_json(self, status: int, document: object, number: int, headers: dict | None = None, encoding: str | None = None) -> None:
        """A JSON answer, compressed if told."""
        body = json.dumps(document).encode()
        extra = {"content-type": "application/json"} | vendor_headers(number) | (headers or {})
        if encoding:
            body = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
            extra["content-encoding"] = encoding
        self.send_bytes(status, body, extra)

    def send_bytes(self, status: int, body: bytes, headers: dict) -> None:
        """Head and body with a length."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self, events, answer: dict, number: int) -> None:
        """A stream of server-sent events, each flushed as it is made."""
        self.send_response(200)
        encoding = answer.get("encoding")
        headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        if encoding:
            headers["content-encoding"] = encoding
        for key, value in (headers | vendor_headers(number) | answer.get("headers", {})).items():
            self.send_header(key, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15) if encoding else None
        for position, (name, data) in enumerate(events):
            if position == answer.get("gate") and not self.memory.gate.wait(GATE_SECONDS_MAX):
                return end(self.connection)
            frame = (f"event: {name}\n" if name else "").encode() + b"data: " + data.encode() + b"\n\n"
            if packer:
                frame = packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)
            self.send_pieces(frame, answer.get("write_bytes") or len(frame))
            time.sleep(answer.get("delay_ms", 0) / 1000)
        if packer:
            self.send_pieces(packer.flush(), CHUNK_BYTES_MAX)
        self.wfile.write(b"0\r\n\r\n")

    def send_pieces(self, frame: bytes, size: int) -> None:
        """Bytes as chunks of a given size, wherever that cuts them."""
        for at in range(0, len(frame), size):
            piece = frame[at : at + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


CHUNK_BYTES_MAX = 65_536
GATE_SECONDS_MAX = 10


def vendor_headers(number: int) -> dict:
    """Headers that the vendors send and the SDKs show."""
    return {"request-id": f"req_{number:06}", "x-request-id": f"req_{number:06}", "x-vendor-note": "kept"}


def embeddings(document: dict) -> dict:
    """Vectors of four numbers for each input, packed if asked."""
    inputs = document.get("input", "")
    count = len(inputs) if isinstance(inputs, list) else 1
    vector: object = [0.5, -0.5, 0.25, 1.0]
    if document.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<4f", *vector)).decode()
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return {"object": "list", "data": data, "model": document.get("model"), "usage": usage}


def not_found(path: str) -> dict:
    """An error that fits both vendors' envelopes."""
    return invalid(f"Unknown path {path}")


def invalid(message: str) -> dict:
    """The vendors' envelope for a bad request."""
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message, "param": None, "code": None}}


class Control(BaseHTTPRequestHandler):
    """The listener for tests."""

    protocol_version = "HTTP/1.1"
    memory: Memory
    more: dict = {}
    """Further sources for ``GET /__name``: a name and a function without arguments; the reset calls ``reset`` among them."""

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path == "/__requests":
            return self.reply(self.memory.told())
        source = self.more.get(self.path.removeprefix("/__"))
        self.reply(source() if source else {"error": "unknown"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/__script":
            with self.memory.lock:
                self.memory.script.extend(json.loads(body))
        elif self.path == "/__go":
            self.memory.gate.set()
        elif self.path == "/__sockets":
            self.memory.sockets = True
        elif self.path == "/__reset":
            self.memory.reset(json.loads(body or b"{}").get("cut", False))
            self.more.get("reset", lambda: None)()
        self.reply({})

    def reply(self, document: object) -> None:
        """A JSON answer."""
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Threads that do not outlive the process, and a backlog for bursts."""

    daemon_threads = True
    request_queue_size = 128


def start(memory: Memory, port: int = 0, control_port: int = 0, more: dict | None = None) -> tuple[int, int]:
    """Starts both listeners in threads; returns their ports."""
    provider = Server(("127.0.0.1", port), type("BoundProvider", (Provider,), {"memory": memory}))
    control = Server(("127.0.0.1", control_port), type("BoundControl", (Control,), {"memory": memory, "more": {} if more is None else more}))
    for server in (provider, control):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return provider.server_address[1], control.server_address[1]


def main() -> None:
    """Runs until interrupted; prints the two ports as one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    arguments = parser.parse_args()
    port, control = start(Memory(), arguments.port, arguments.control_port)
    print(json.dumps({"port": port, "control": control}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()

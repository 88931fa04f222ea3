"""A relay in front of the gateway that remembers what a client asked and was answered; changes nothing."""

import base64
import socket
import threading

import frames

HEAD_END = b"\r\n\r\n"
READ_BYTES = 65_536


class Framing:
    """Reads whole requests out of one direction of an HTTP/1.1 connection."""

    def __init__(self) -> None:
        self.buffer = b""
        self.open: dict | None = None
        self.left_bytes = 0
        self.kept_bytes = 0
        self.chunked = False
        self.socket: frames.Reader | None = None

    def feed(self, data: bytes) -> list[dict]:
        """Takes bytes, returns the requests whose head they completed; their bodies grow with later bytes."""
        if self.socket and (self.socket.buffer or data[0] & 0x80):
            return self.messages(data)
        self.buffer += data
        begun = []
        while self.buffer:
            if self.left_bytes:
                self.take_body()
            elif self.chunked:
                if not self.step_chunk():
                    break
            elif HEAD_END in self.buffer:
                head, self.buffer = self.buffer.split(HEAD_END, 1)
                self.begin(head)
                begun.append(self.open)
            else:
                break
        return begun

    def begin(self, head: bytes) -> None:
        """Learns from a head how its body is framed."""
        lines = head.decode("latin-1").split("\r\n")
        fields = [[part.strip() for part in line.split(":", 1)] for line in lines[1:] if ":" in line]
        headers = {key.lower(): value for key, value in fields}
        method, path, _ = lines[0].split(" ", 2)
        self.open = {"method": method, "path": path, "headers": headers, "body": bytearray()}
        self.socket = frames.Reader() if headers.get("upgrade", "").lower() == "websocket" else None
        self.chunked = "chunked" in headers.get("transfer-encoding", "")
        self.left_bytes = self.kept_bytes = int(headers.get("content-length", "0"))

    def messages(self, data: bytes) -> list[dict]:
        """Messages on a connection that was upgraded; one that was refused goes on with requests."""
        texts = [payload for code, payload in self.socket.feed(data) if code == frames.TEXT]
        head = {"method": "MESSAGE", "path": self.open["path"], "headers": self.open["headers"]}
        return [head | {"body": bytearray(text)} for text in texts]

    def take_body(self) -> None:
        """Moves what is there of a body, less the line end after a chunk."""
        taken = min(self.left_bytes, len(self.buffer))
        kept = min(self.kept_bytes, taken)
        self.open["body"] += self.buffer[:kept]
        self.buffer = self.buffer[taken:]
        self.left_bytes -= taken
        self.kept_bytes -= kept

    def step_chunk(self) -> bool:
        """Reads one chunk's size line; False if it is not there yet."""
        if b"\r\n" not in self.buffer:
            return False
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        size = int(line.split(b";")[0] or b"0", 16)
        self.chunked = size > 0
        self.left_bytes, self.kept_bytes = size + 2, size
        return True


class Tap:
    """Listens on a free port and relays to the gateway."""

    def __init__(self, target_port: int) -> None:
        self.target = ("127.0.0.1", target_port)
        self.lock = threading.Lock()
        self.requests: list[dict] = []
        self.answered = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Takes connections for ever."""
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client: socket.socket) -> None:
        """Joins a client with a connection of its own to the gateway."""
        try:
            gateway = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        for end in (client, gateway):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        framing = Framing()
        threading.Thread(target=self.pump, args=(gateway, client, self.keep_answer), daemon=True).start()
        self.pump(client, gateway, lambda data: self.keep_requests(framing, data))

    def pump(self, source: socket.socket, sink: socket.socket, keep) -> None:
        """Moves bytes one way until an end closes."""
        try:
            while data := source.recv(READ_BYTES):
                keep(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                end.close()

    def keep_requests(self, framing: Framing, data: bytes) -> None:
        """Remembers the requests of a client."""
        with self.lock:
            self.requests.extend(framing.feed(data))

    def keep_answer(self, data: bytes) -> None:
        """Remembers what the clients were sent, framing and all."""
        with self.lock:
            self.answered += data

    def told(self) -> dict:
        """Requests and answered bytes since the last reset."""
        with self.lock:
            plain = [{key: value for key, value in request.items() if key != "body"} for request in self.requests]
            for told, request in zip(plain, self.requests):
                told["body_base64"] = base64.b64encode(bytes(request["body"])).decode()
            return {"requests": plain, "answered": self.answered.decode("latin-1")}

    def reset(self) -> None:
        """Forgets."""
        with self.lock:
            self.requests.clear()
            self.answered.clear()

"""A relay in front of the gateway that counts the requests of a client and keeps what it was answered; changes nothing."""

import socket
import threading

HEAD_END = b"\r\n\r\n"
READ_BYTES = 65_536


class Framing:
    """Reads request heads out of one direction of an HTTP/1.1 connection, stepping over the bodies."""

    def __init__(self) -> None:
        self.buffer = b""
        self.skip_bytes = 0
        self.chunked = False

    def feed(self, data: bytes) -> list[str]:
        """Takes bytes, returns the heads that they completed."""
        self.buffer += data
        heads = []
        while self.buffer:
            if self.skip_bytes:
                gone = min(self.skip_bytes, len(self.buffer))
                self.buffer, self.skip_bytes = self.buffer[gone:], self.skip_bytes - gone
            elif self.chunked:
                if not self.step_chunk():
                    break
            elif HEAD_END in self.buffer:
                head, self.buffer = self.buffer.split(HEAD_END, 1)
                heads.append(head.decode("latin-1"))
                self.begin_body(head)
            else:
                break
        return heads

    def begin_body(self, head: bytes) -> None:
        """Learns from a head how its body is framed."""
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        self.chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
        self.skip_bytes = int(fields.get(b"content-length", b"0"))

    def step_chunk(self) -> bool:
        """Steps over one chunk's size line; False if it is not there yet."""
        if b"\r\n" not in self.buffer:
            return False
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        size = int(line.split(b";")[0], 16)
        self.chunked = size > 0
        self.skip_bytes = size + 2
        return True


class Tap:
    """Listens on a free port and relays to the gateway."""

    def __init__(self, target_port: int) -> None:
        self.target = ("127.0.0.1", target_port)
        self.lock = threading.Lock()
        self.heads: list[str] = []
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
        self.pump(client, gateway, lambda data: self.keep_heads(framing.feed(data)))

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

    def keep_heads(self, heads: list[str]) -> None:
        """Remembers the requests of a client."""
        with self.lock:
            self.heads.extend(heads)

    def keep_answer(self, data: bytes) -> None:
        """Remembers what the clients were sent, framing and all."""
        with self.lock:
            self.answered += data

    def told(self) -> dict:
        """Request lines and answered bytes since the last reset."""
        with self.lock:
            lines = [head.split("\r\n")[0] for head in self.heads]
            return {"requests": lines, "heads": list(self.heads), "answered": self.answered.decode("latin-1")}

    def reset(self) -> None:
        """Forgets."""
        with self.lock:
            self.heads.clear()
            self.answered.clear()

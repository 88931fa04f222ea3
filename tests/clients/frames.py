"""WebSocket frames, as far as the stage needs them: bytes to messages, and messages to frames without compression."""

import base64
import hashlib
import zlib

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
CONTROL_FROM = 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DEFLATE_TAIL = b"\x00\x00\xff\xff"


def accept(key: str) -> str:
    """What a server answers to a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def frame(payload: bytes, code: int = TEXT) -> bytes:
    """One whole message of a server."""
    size = len(payload)
    head = bytes([0x80 | code])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 1 << 16:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


class Reader:
    """Reads messages out of one direction, whatever the cutting; inflates what is compressed."""

    def __init__(self) -> None:
        self.buffer = b""
        self.parts: list[bytes] = []
        self.code, self.compressed = 0, False
        self.inflater = zlib.decompressobj(wbits=-15)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Takes bytes, returns the messages that they completed as (code, payload)."""
        self.buffer += data
        messages = []
        while (taken := self.take()) is not None:
            last, compressed, code, payload = taken
            if code >= CONTROL_FROM:
                messages.append((code, payload))
                continue
            if code:
                self.code, self.compressed, self.parts = code, compressed, []
            self.parts.append(payload)
            if last:
                messages.append((self.code, self.whole()))
        return messages

    def whole(self) -> bytes:
        """The message whose parts are all there."""
        payload = b"".join(self.parts)
        return self.inflater.decompress(payload + DEFLATE_TAIL) if self.compressed else payload

    def take(self) -> tuple[bool, bool, int, bytes] | None:
        """One frame, if it is all there: last, compressed, code, payload."""
        if len(self.buffer) < 2:
            return None
        first, second = self.buffer[0], self.buffer[1]
        size, at = second & 0x7F, 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(self.buffer[2 : 2 + width], "big"), 2 + width
        masked = bool(second & 0x80)
        if len(self.buffer) < at + 4 * masked + size:
            return None
        mask = self.buffer[at : at + 4] * (size // 4 + 1) if masked else b""
        at += 4 * masked
        payload, self.buffer = self.buffer[at : at + size], self.buffer[at + size :]
        if masked:
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
        return bool(first & 0x80), bool(first & 0x40), first & 0x0F, payload

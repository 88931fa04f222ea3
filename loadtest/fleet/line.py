"""A network between gateways and their server that can be cut: by refusing, or by swallowing what is sent."""

import asyncio
import threading

WHOLE, CLOSED, SILENT = "whole", "closed", "silent"


class Line:
    """Forwards connections to a port, on a thread of its own."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.mode = WHOLE
        self.open: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.mended = asyncio.Event()
        self.mended.set()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.carry, "127.0.0.1", 0), self.loop)
        self.port = started.result().sockets[0].getsockname()[1]

    def set(self, mode: str) -> None:
        """Cuts it or mends it. Connections that were open end: a cut that is mended gives none of them back."""

        async def change() -> None:
            self.mode = mode
            self.mended.clear() if mode == SILENT else self.mended.set()
            for writer in [] if mode == SILENT else list(self.open):
                writer.close()

        asyncio.run_coroutine_threadsafe(change(), self.loop).result()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        if self.mode == CLOSED:
            writer.close()
            return
        await self.mended.wait()
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self.open |= {writer, other_writer}
        await asyncio.gather(self.pump(reader, other_writer), self.pump(other_reader, writer))
        self.open -= {writer, other_writer}

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One way."""
        try:
            while piece := await reader.read(1 << 16):
                await self.mended.wait()
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass  # The other way ends with it.
        writer.close()

"""A line to a server that has moods: slow, cut, refusing, or answering garbage."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine
from typing import Any

MOODS = ("slow", "cut", "refusing", "garbage")
_SLOW_S = 0.7
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n"
    b"Connection: close\r\n\r\nbusy"
)


class MoodyLine:
    """Forwards TCP connections to ``target``, a port of this machine, as its ``mood`` is."""

    def __init__(self, target: int, seed: int) -> None:
        self.mood = ""
        self.port = 0
        self._target, self._chance = target, random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="moody", daemon=True)

    def start(self) -> None:
        """Listen, on a free port."""
        self._thread.start()
        self._listening.wait(10)

    def stop(self) -> None:
        """Close every connection."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._forward, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _forward(self, into: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            if self.mood == "refusing":
                await into.read(1 << 16)
                back.write(_REFUSAL)
            else:
                server_in, server_out = await asyncio.open_connection("127.0.0.1", self._target)
                await _first(self._pipe(into, server_out), self._answers(server_in, back))
                server_out.close()
        back.close()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if self.mood == "slow":
                await asyncio.sleep(_SLOW_S)
            if self.mood == "refusing":
                return
            sink.write(data)
            await sink.drain()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if self.mood == "cut":
                sink.write(data[: self._chance.randrange(len(data))])
                return
            sink.write(self._chance.randbytes(200) if self.mood == "garbage" else data)
            await sink.drain()


async def _first(*ways: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

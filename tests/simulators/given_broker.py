"""Brokers for the simulated devices: a real one for many users, and a forgetful one."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulators import packets
from simulators.client import Client, Door, Identity
from tests.servers import Mosquitto, program

COLLECTOR = "fieldcare"


@contextmanager
def mosquitto_for(directory: Path, devices: list[str]) -> Iterator[Mosquitto]:
    """Run the shipped mosquitto for ``devices``; the password of X is secret-X."""
    program("mosquitto")
    server = Mosquitto(directory, {})
    server.prepare()
    file = directory / "passwords"
    file.write_text("".join(f"{name}:secret-{name}\n" for name in (COLLECTOR, *devices)))
    subprocess.run([program("mosquitto_passwd"), "-U", str(file)], check=True, capture_output=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def door(server: Mosquitto) -> Door:
    return Door("127.0.0.1", server.port)


def client(where: Door, name: str, **more: object) -> Client:
    will = (f"fc/v1/S001/{name}/state", b'{"state":"offline"}')
    return Client(where, Identity(name, f"secret-{name}", *will), **more)


class Listener:
    """Keeps everything the devices publish, as (topic, payload), in order."""

    def __init__(self, where: Door, topic: str = "fc/v1/#") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.client = client(
            where,
            COLLECTOR,
            listen_to=topic,
            on_message=lambda *message: self.heard.append(message),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Listener":
        self._task = asyncio.create_task(self.client.run())
        await self.client.subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.leave()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class ForgetfulBroker:
    """Speaks just enough MQTT; hangs up after ``patience`` messages without confirming any.

    From the second connection on it confirms everything.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.seen: list[list[packets.Packet]] = []
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Door:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return Door("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*self._served)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            await self._speak(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got: list[packets.Packet] = []
        self.seen.append(got)
        confirming = len(self.seen) > 1
        buffer = bytearray()
        while data := await reader.read(65536):
            buffer += data
            for packet in packets.taken(buffer):
                if packet.type == 1:
                    writer.write(b"\x20\x02\x00\x00")
                if packet.type == packets.PUBLISH:
                    got.append(packet)
                    if confirming:
                        writer.write(packets.puback(packets.published(packet).id))
            if not confirming and len(got) >= self.patience:
                break

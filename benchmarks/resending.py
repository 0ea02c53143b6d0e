"""A fleet that keeps what it sent until it is safe: it sends again after every lost connection.

A broker acknowledges what it has in memory. A device that wants nothing lost when the broker is
killed sends again what was not acknowledged, and what was acknowledged less than ``MEMORY_S`` ago.
What is sent again carries a time that is later by some ms, so that a message stored twice shows.

python -m benchmarks.resending --port 1883 --messages 100000 --devices 40 --rate 8000
"""

import argparse
import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.load import Plan, acknowledgements, payload
from collector.fields import Property
from collector.packets import V5, Connect, Publish, encode

MEMORY_S = 5.0  # mosquitto writes what it has every second; saving a long queue takes a while
WINDOW = 100
TICK_S = 0.01
AGAIN_S = 0.2
LOOK_S = 0.5
STEP_MS = 1000  # between two readings of a device


class Load(NamedTuple):
    """What to send: ``messages`` in all, at ``rate`` a second over all devices."""

    port: int
    messages: int
    devices: int = 40
    rate: float = 8000.0
    start_ms: int = 1_790_000_000_000
    password: str = ""
    host: str = "127.0.0.1"


@dataclass(slots=True)
class Device:
    """What one device has to send, and what it still keeps."""

    name: str
    count: int
    next: int = 0
    turn: int = 0
    again: int = 0
    unacked: deque[int] = field(default_factory=deque)
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def acked(self) -> int:
        """How many are acknowledged, counted once."""
        return self.next - len(self.unacked)

    def safe(self, now: float) -> bool:
        """Return whether nothing has to be sent, not even again."""
        self.acknowledge(0, now)
        return self.acked == self.count and not self.recent

    def acknowledge(self, count: int, now: float) -> None:
        """Take ``count`` acknowledgements, which come in the order of sending."""
        for _ in range(count):
            self.recent.append((now, self.unacked.popleft()))
        while self.recent and self.recent[0][0] < now - MEMORY_S:
            self.recent.popleft()

    def rewind(self, now: float) -> None:
        """Go back to the oldest message that may not be safe."""
        self.acknowledge(0, now)
        kept = [seq for _, seq in self.recent] + list(self.unacked)
        if kept:
            self.again += self.next - min(kept)
            self.next = min(kept)
        self.unacked.clear()
        self.recent.clear()
        self.turn += 1


class Pace:
    """Shares ``rate`` messages a second among those who ask."""

    def __init__(self, rate: float) -> None:
        self._rate, self._at, self._left = rate, time.monotonic(), 0.0

    def take(self, most: int) -> int:
        """Return how many of ``most`` may be sent now."""
        now = time.monotonic()
        self._left = min(self._left + (now - self._at) * self._rate, self._rate)
        self._at = now
        taken = min(most, int(self._left))
        self._left -= taken
        return taken


def _packets(load: Load, device: Device, count: int) -> bytes:
    plan = Plan(load.port, 0, start_ms=load.start_ms + device.turn)
    topic = f"fc/v1/H1/{device.name}/tele"
    sent = range(device.next, device.next + count)
    device.unacked.extend(sent)
    device.next += count
    return b"".join(
        encode(Publish(topic, payload(plan, seq), 1, seq % 65535 + 1), V5) for seq in sent
    )


async def _write(load: Load, device: Device, pace: Pace, out: asyncio.StreamWriter) -> None:
    while device.acked < device.count:
        room = min(WINDOW - len(device.unacked), device.count - device.next)
        if room > 0 and (count := pace.take(min(room, 20))):
            out.write(_packets(load, device, count))
            await out.drain()
        await asyncio.sleep(TICK_S)


async def _read(device: Device, into: asyncio.StreamReader) -> None:
    tail = b""
    while not device.safe(time.monotonic()):
        try:
            data = tail + await asyncio.wait_for(into.read(1 << 16), LOOK_S)
        except TimeoutError:
            continue
        if len(data) == len(tail):
            raise ConnectionError("the server closed")
        sizes = list(acknowledgements(data))
        if any(reason >= 0x80 for _, reason in sizes):
            raise ConnectionError("the server refused a message")
        tail = data[sum(size for size, _ in sizes) :]
        device.acknowledge(len(sizes), time.monotonic())


async def _talk(load: Load, device: Device, pace: Pace) -> None:
    into, out = await asyncio.open_connection(load.host, load.port)
    try:
        name, password = device.name, load.password.encode()
        hello = Connect(name, V5, True, 60, name, password, properties={Property.SESSION_EXPIRY: 0})
        out.write(encode(hello, V5))
        answer = await asyncio.wait_for(into.readexactly(2), 10)
        rest = await asyncio.wait_for(into.readexactly(answer[1]), 10)
        if answer[0] != 0x20 or rest[1]:
            raise ConnectionError(f"{name} was refused: {(answer + rest).hex()}")
        writing = asyncio.create_task(_write(load, device, pace, out))
        try:
            await _read(device, into)
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await writing
    finally:
        out.close()


async def _live(load: Load, device: Device, pace: Pace) -> None:
    while not device.safe(time.monotonic()):
        try:
            await _talk(load, device, pace)
        except (OSError, EOFError, TimeoutError):
            device.rewind(time.monotonic())
            await asyncio.sleep(AGAIN_S)


def name(number: int) -> str:
    """Return the id of a device of the fleet."""
    return f"load-{number:04d}"


def counts(messages: int, devices: int) -> list[int]:
    """Return how many messages each device sends."""
    return [messages // devices + (n < messages % devices) for n in range(devices)]


async def run(load: Load) -> None:
    """Send everything; print how many are acknowledged, and how many were sent again, as it goes.

    The last line comes when all are acknowledged.
    """
    fleet = [Device(name(n), c) for n, c in enumerate(counts(load.messages, load.devices))]
    pace = Pace(load.rate)
    alive = asyncio.gather(*(_live(load, device, pace) for device in fleet))
    while not alive.done():
        await asyncio.wait([alive], timeout=0.2)
        print(sum(d.acked for d in fleet), sum(d.again for d in fleet), flush=True)
    await alive


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for field_name, kind in Load.__annotations__.items():
        default = Load._field_defaults.get(field_name)
        option = "--" + field_name.replace("_", "-")
        parser.add_argument(option, type=kind, default=default, required=default is None)
    asyncio.run(run(Load(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()

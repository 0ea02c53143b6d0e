"""A crowd: thousands of devices in one process, each with a socket on which little happens.

    python -m benchmarks.crowd idle PORT DEVICES KEEP_ALIVE_S SECONDS
    python -m benchmarks.crowd storm PORT DEVICES
    python -m benchmarks.crowd paced PORT DEVICES RATE SECONDS

prints one line of JSON. ``storm``: all of them lose their connections at the same instant, a letter
is sent to each, and all come back at once with a message of their own. ``paced`` prints when each
message was sent: {device: {seq: monotonic s}}.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from benchmarks.load import Plan, payload
from collector.descriptors import room_for
from collector.fields import Property
from collector.packets import V5, Ack, Connect, Publish, Subscribe, Wanted, decode, encode, frame

PING = b"\xc0\x00"
PATIENCE_S = 120.0


class Device(asyncio.Protocol):
    """One device: connects, keeps quiet, acknowledges what it is sent."""

    def __init__(self, name: str, keep_alive_s: int = 60) -> None:
        self.name, self._keep_alive_s = name, keep_alive_s
        self.welcome = asyncio.Event()
        self.acked = asyncio.Event()
        self.granted = asyncio.Event()
        self.letters: list[bytes] = []
        self.reason = -1
        self.unacked = 0
        self._tail = b""
        self.transport: Any = None

    def topic(self, kind: str) -> str:
        return f"fc/v1/H1/{self.name}/{kind}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        hello = Connect(self.name, V5, False, self._keep_alive_s, self.name, b"")
        self.send(hello._replace(properties={Property.SESSION_EXPIRY: 3600}))

    def send(self, packet: Any) -> None:
        self.transport.write(encode(packet, V5))

    def data_received(self, data: bytes) -> None:
        data, pos = self._tail + data, 0
        while pos < len(data) and (found := frame(data, pos)) and found.end <= len(data):
            kind, pos = found.first >> 4, found.end
            if kind == 2:
                self.reason = data[found.start + 1]
                self.welcome.set()
            elif kind == 4:
                self.unacked -= 1
                self.acked.set()
            elif kind == 9:
                self.granted.set()
            elif kind == 3:
                letter: Any = decode(*found[:1], data, *found[1:], V5)
                self.letters.append(letter.payload)
                self.send(Ack(4, letter.pid))
        self._tail = data[pos:]


def names(count: int) -> list[str]:
    """Return the names of the devices, as ``benchmarks.load`` gives them."""
    return [f"load-{number:04d}" for number in range(count)]


async def connected(port: int, name: str, keep_alive_s: int = 60) -> Device:
    """Return the device once it was welcomed."""
    loop = asyncio.get_running_loop()
    address = ("127.0.0.1", port)
    _, device = await loop.create_connection(lambda: Device(name, keep_alive_s), *address)
    await device.welcome.wait()
    if device.reason:
        raise ConnectionError(f"{name} was refused with {device.reason:#x}")
    return device


async def crowd(port: int, count: int, keep_alive_s: int = 60) -> list[Device]:
    """Return all devices, connected at once."""
    return await asyncio.gather(*(connected(port, n, keep_alive_s) for n in names(count)))


async def idle(port: int, count: int, keep_alive_s: int, seconds: float) -> dict[str, Any]:
    """Ping as often as a keep-alive asks for, spread evenly, until ``seconds`` are over."""
    devices = await crowd(port, count, keep_alive_s)
    print("ready", flush=True)
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * count / keep_alive_s)
        for number in range(sent, due):
            devices[number % count].transport.write(PING)
        sent = due
        await asyncio.sleep(0.02)
    lost = sum(device.transport.is_closing() for device in devices)
    return {"pings": sent, "lost": lost}


async def storm(port: int, count: int) -> dict[str, Any]:
    """Let all come back at once, and tell how long that took and what was missing."""
    devices = await crowd(port, count)
    for device in devices:
        device.send(Subscribe(1, (Wanted(device.topic("cmd"), 1),)))
    await asyncio.gather(*(device.granted.wait() for device in devices))
    for device in devices:
        device.transport.abort()
    print("gone", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began = time.monotonic()
    devices = await crowd(port, count)
    back_s = time.monotonic() - began
    plan = Plan(port, count)
    for device in devices:
        device.send(Publish(device.topic("tele"), payload(plan, 0), 1, 1))
    await asyncio.gather(*(device.acked.wait() for device in devices))
    acked_s = time.monotonic() - began
    while time.monotonic() - began < PATIENCE_S and not all(d.letters for d in devices):
        await asyncio.sleep(0.05)
    heard = sum(len(device.letters) == 1 for device in devices)
    return {"back_s": back_s, "acked_s": acked_s, "heard": heard}


async def paced(port: int, count: int, rate: float, seconds: float) -> dict[str, Any]:
    """Send one message after the other, evenly, device by device; return when each was sent."""
    devices = await crowd(port, count)
    plan = Plan(port, 0)
    sent_at: dict[str, dict[int, float]] = {device.name: {} for device in devices}
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        for number in range(sent, int((now - began) * rate)):
            seq, place = divmod(number, count)
            device = devices[place]
            packet = Publish(device.topic("tele"), payload(plan, seq), 1, seq % 65535 + 1)
            device.unacked += 1
            device.send(packet)
            sent_at[device.name][seq] = time.monotonic()
            sent += 1
        await asyncio.sleep(0.001)
    while any(device.unacked for device in devices) and time.monotonic() - began < PATIENCE_S:
        await asyncio.sleep(0.05)
    return sent_at


def main() -> None:
    """Do what the command line says."""
    deeds = {"idle": idle, "storm": storm, "paced": paced}
    name, port, count, *more = sys.argv[1:]
    room_for(int(count))
    numbers = [float(text) if "." in text else int(text) for text in more]
    deed: Any = deeds[name](int(port), int(count), *numbers)  # type: ignore[operator]
    print(json.dumps(uvloop.run(deed)), flush=True)


if __name__ == "__main__":
    main()

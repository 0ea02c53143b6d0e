"""Pushes MQTT messages of QoS 1 as fast as they are acknowledged, over raw sockets.

Everything is encoded before the clock starts. With ``--acked FILE`` each acknowledged message is
written there as ``device boot seq`` before the next one may be sent for it, so that a test can kill
the server and ask for every one of them.

    python -m benchmarks.load --port 1883 --messages 100000 --connections 20 --window 200
"""

import argparse
import contextlib
import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collector.fields import Property
from collector.packets import V5, Connect, Publish, encode

METRICS = (
    ("reaction_bath_temp", 37.02),
    ("lamp_intensity", 99.4),
    ("wash_vacuum", -70.3),
    ("water_resistivity", 16.1),
    ("water_pressure", 221.5),
    ("sample_asp_peak_pressure", 20.4),
    ("reagent_cooler_temp", 5.1),
    ("reagent_cooler_duty", 44.0),
    ("carousel_motor_current", 1.21),
    ("cabinet_temp", 26.2),
    ("ambient_temp", 22.3),
    ("psu_24v", 24.01),
)


class Plan(NamedTuple):
    """What to send. ``rate`` is in messages per s over all connections, 0 for no limit."""

    port: int
    messages: int
    connections: int = 20
    window: int = 200
    version: int = V5
    host: str = "127.0.0.1"
    site: str = "H1"
    prefix: str = "load-"
    password: str = ""
    boot: str = "b1"
    first_seq: int = 0
    start_ms: int = 1_790_000_000_000
    rate: float = 0.0
    acked: str | None = None


class Outcome(NamedTuple):
    """What came of it; ``broken`` counts connections that were lost before their end."""

    sent: int
    acked: int
    refused: int
    broken: int
    seconds: float


Packets = Callable[[Plan, int, Sequence[int]], Sequence[bytes]]


def payload(plan: Plan, seq: int) -> bytes:
    """Return the readings of one instant: 12 metrics, about 330 bytes."""
    values = ",".join(f'"{name}":{round(value + seq % 7 * 0.01, 2)}' for name, value in METRICS)
    at_ms = plan.start_ms + seq * 1000
    return f'{{"b":"{plan.boot}","s":{seq},"t":{at_ms},"m":{{{values}}}}}'.encode()


@dataclass(slots=True)
class _Lane:
    """One connection: what it has to send, and what it waits for."""

    device: str
    packets: Sequence[bytes]
    window: int
    seqs: Sequence[int]
    socket: socket.socket
    sent: int = 0
    acked: int = 0
    refused: int = 0
    out: bytes = b""
    tail: bytes = b""
    alive: bool = True

    @property
    def done(self) -> bool:
        return self.acked >= len(self.packets) or not self.alive


def _connect(plan: Plan, device: str) -> socket.socket:
    raw = socket.create_connection((plan.host, plan.port), timeout=10)
    values = {Property.SESSION_EXPIRY: 3600} if plan.version == V5 else {}
    hello = Connect(
        device, plan.version, True, 60, device, plan.password.encode(), properties=values
    )
    raw.sendall(encode(hello, plan.version))
    answer = raw.recv(4096)
    if len(answer) < 4 or answer[0] != 0x20 or answer[3 if answer[1] < 128 else 4]:
        raise ConnectionError(f"{device} was refused: {answer.hex()}")
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setblocking(False)
    return raw


def _packets(plan: Plan, number: int, seqs: Sequence[int]) -> Sequence[bytes]:
    topic = f"fc/v1/{plan.site}/{plan.prefix}{number:04d}/tele"
    return [
        encode(Publish(topic, payload(plan, seq), 1, place % 65535 + 1), plan.version)
        for place, seq in enumerate(seqs)
    ]


def _lane(plan: Plan, number: int, packets: Packets) -> _Lane:
    device = f"{plan.prefix}{number:04d}"
    count = plan.messages // plan.connections + (number < plan.messages % plan.connections)
    seqs = range(plan.first_seq, plan.first_seq + count)
    return _Lane(device, packets(plan, number, seqs), plan.window, seqs, _connect(plan, device))


def acknowledgements(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (packet size, reason) of every complete PUBACK."""
    pos = 0
    while pos + 2 <= len(data):
        size = 2 + data[pos + 1]
        if pos + size > len(data):
            return
        if data[pos] == 0x40:
            yield size, data[pos + 4] if size > 4 else 0
        elif data[pos] == 0xE0:
            raise ConnectionError(f"server said goodbye: {data[pos : pos + size].hex()}")
        else:
            yield size, -1
        pos += size


def _receive(lane: _Lane, log: int | None, boot: str) -> None:
    data = lane.tail + lane.socket.recv(1 << 18)
    if len(data) == len(lane.tail):
        raise ConnectionError("server closed")
    before = lane.acked
    count, step = divmod(len(data), 4)
    if not step and data[::4] == b"\x40" * count and data[1::4] == b"\x02" * count:
        lane.acked += count
        lane.tail = b""
    else:
        pos = 0
        for size, reason in acknowledgements(data):
            pos += size
            lane.acked += reason >= 0
            lane.refused += reason >= 0x80
        lane.tail = data[pos:]
    if log is not None and lane.acked > before:
        lines = (f"{lane.device} {boot} {seq}\n" for seq in lane.seqs[before : lane.acked])
        os.write(log, "".join(lines).encode())


def _send(lane: _Lane, most: int) -> int:
    """Fill the window, ``most`` messages at the most; return how many were new."""
    count = min(lane.acked + lane.window, len(lane.packets), lane.sent + most) - lane.sent
    if count > 0:
        lane.out += b"".join(lane.packets[lane.sent : lane.sent + count])
        lane.sent += count
    if lane.out:
        with contextlib.suppress(BlockingIOError):
            lane.out = lane.out[lane.socket.send(lane.out) :]
    return max(count, 0)


def run(plan: Plan, packets: Packets = _packets) -> Outcome:
    """Send all of ``plan`` and return when everything is acknowledged or every connection lost.

    ``packets`` says what a device sends: the PUBLISH of each of its numbers.
    """
    lanes = [_lane(plan, number, packets) for number in range(plan.connections)]
    log = os.open(plan.acked, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644) if plan.acked else None
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for lane in lanes:
            selector.register(lane.socket, selectors.EVENT_READ, lane)
        _drive(plan, lanes, selector, log)
    seconds = time.perf_counter() - started
    for lane in lanes:
        lane.socket.close()
    if log is not None:
        os.close(log)
    return Outcome(
        sum(lane.sent for lane in lanes),
        sum(lane.acked for lane in lanes),
        sum(lane.refused for lane in lanes),
        sum(not lane.alive for lane in lanes),
        seconds,
    )


def _drive(
    plan: Plan, lanes: list[_Lane], selector: selectors.BaseSelector, log: int | None
) -> None:
    started, sent = time.perf_counter(), 0
    open_lanes = list(lanes)
    while open_lanes:
        for lane in open_lanes:
            due = 1 << 30
            if plan.rate:
                due = int((time.perf_counter() - started) * plan.rate) - sent
            try:
                sent += _send(lane, due)
            except OSError:
                lane.alive = False
        for key, _ in selector.select(0.001 if plan.rate else 0.05):
            try:
                _receive(key.data, log, plan.boot)
            except OSError:
                key.data.alive = False
        for lane in open_lanes:
            if lane.done:
                selector.unregister(lane.socket)
        open_lanes = [lane for lane in open_lanes if not lane.done]


def main() -> None:
    """Read the command line, send, and print the outcome as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in Plan.__annotations__.items():
        required = name in ("port", "messages")
        default = Plan._field_defaults.get(name)
        option = "--" + name.replace("_", "-")
        read = kind if kind in (int, float) else str
        parser.add_argument(option, type=read, required=required, default=default)
    outcome = run(Plan(**vars(parser.parse_args())))
    print(json.dumps(outcome._asdict()), flush=True)


if __name__ == "__main__":
    main()

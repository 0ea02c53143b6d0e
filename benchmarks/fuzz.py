"""Mutated packets against the real endpoint: it neither breaks, nor stops, nor grows.

One connection in ten goes over a socket, the others straight into a connection of the running
endpoint, in its loop. Meanwhile a healthy client has each of its messages acknowledged. An error in
the log, an exception in the loop, a connection that makes no progress for ``STUCK_S``, memory that
grows by more than ``GROWTH_MB`` after the first tenth, or anything left over at the end is a
failure; a turn can be repeated alone, for it depends on its seed and number only.

    python -m benchmarks.fuzz [packets] [seed]
"""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.mutants import USERS, arrival, talk
from collector.admission import Limits, Principal, device_principal, operator_principal
from collector.committer import Committer
from collector.connection import Connection
from collector.endpoint import Endpoint
from collector.packets import V5, Connect, Publish, encode
from desk.arrival import Arrival

PACKETS, SEED = 1_000_000, 20_261_125
AT_ONCE = 16
SOCKETS = 10  # one turn in so many goes over a socket
STUCK_S = 30.0
GROWTH_MB = 20.0
LIMITS = Limits(sessions=100, retained=300, queue=50, queue_bytes=1 << 20, stall_s=1.0)


class Outcome(NamedTuple):
    """What came of it. ``wrong`` is empty when all is well."""

    mutants: int
    turns: int
    seconds: float
    before_mb: float
    after_mb: float
    healthy: int
    slowest_s: float
    taken: int
    wrong: tuple[str, ...]


class _Counting:
    """A sink that counts and keeps nothing."""

    taken = 0

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        self.taken += len(arrivals)

    def act(self, kept: Any) -> None:
        pass


class _Errors(logging.Handler):
    """Collects what is logged as an error; the first few are enough."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.found) < 5:
            self.found.append(logging.Formatter().format(record))


class _Wire(asyncio.Transport):
    """A transport without a socket: what is written is dropped, sometimes slowly."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, slow: bool) -> None:
        super().__init__()
        self._loop, self._slow = loop, slow
        self.protocol: Any = None
        self.readable = asyncio.Event()
        self.readable.set()
        self._closing = self._full = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        if self._slow and not self._full and not self._closing:
            self._full = True
            self.protocol.pause_writing()
            self._loop.call_later(0.001, self._drained)

    def _drained(self) -> None:
        self._full = False
        self.protocol.resume_writing()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.readable.clear()

    def resume_reading(self) -> None:
        self.readable.set()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.readable.set()
            self._loop.call_soon(self.protocol.connection_lost, None)

    abort = close


class _Attack:
    """All turns, some at a time."""

    def __init__(self, endpoint: Endpoint, packets: int, seed: int) -> None:
        self._endpoint, self._packets, self._seed = endpoint, packets, seed
        self.mutants = self.turns = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._turns() for _ in range(AT_ONCE)))

    async def _turns(self) -> None:
        while self.mutants < self._packets:
            number, self.turns = self.turns, self.turns + 1
            random = Random(self._seed * 1_000_003 + number)
            pieces = arrival(random, talk(random))
            try:
                if number % SOCKETS:
                    await asyncio.wait_for(self._straight(pieces, slow=number % 7 == 0), STUCK_S)
                else:
                    await asyncio.wait_for(self._over_a_socket(pieces), STUCK_S)
            except Exception as error:
                error.add_note(f"turn {number} of seed {self._seed}")
                raise

    async def _straight(self, pieces: list[tuple[bytes, int]], *, slow: bool) -> None:
        wire = _Wire(asyncio.get_running_loop(), slow=slow)
        connection = Connection(self._endpoint, time.monotonic)
        wire.protocol = connection
        connection.connection_made(wire)
        for data, mutants in pieces:
            if not wire.readable.is_set():
                await wire.readable.wait()
            if wire.is_closing():
                break
            connection.data_received(data)
            self.mutants += mutants
        await asyncio.sleep(0)
        wire.close()

    async def _over_a_socket(self, pieces: list[tuple[bytes, int]]) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as raw:
            raw.setblocking(False)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await loop.sock_connect(raw, ("127.0.0.1", self._endpoint.port))
            with contextlib.suppress(ConnectionError):
                for data, mutants in pieces:
                    await loop.sock_sendall(raw, data)
                    self.mutants += mutants
                    await asyncio.sleep(0)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(loop.sock_recv(raw, 1 << 16), 0.002)


class _Healthy(threading.Thread):
    """A client that does everything right, one message after the other."""

    def __init__(self, port: int) -> None:
        super().__init__(name="healthy", daemon=True)
        self._port = port
        self.acknowledged, self.slowest_s = 0, 0.0
        self.wrong: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        try:
            self._talk()
        except (OSError, ValueError) as error:
            self.wrong.append(f"the healthy client, message {self.acknowledged}: {error!r}")

    def _talk(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), STUCK_S) as raw:
            raw.sendall(encode(Connect("healthy", V5, True, 60, "healthy", b"pw"), V5))
            if raw.recv(1000)[:1] != b"\x20":
                raise ValueError("not welcome")
            while not self.over.wait(0.01):
                pid = self.acknowledged % 0xFFFF + 1
                began = time.monotonic()
                raw.sendall(encode(Publish("fc/v1/S1/healthy/tele", b"{}", 1, pid), V5))
                answer = raw.recv(1000)
                if answer != b"\x40\x02" + pid.to_bytes(2, "big"):
                    raise ValueError(f"answer {answer.hex()}")
                self.acknowledged += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)


def _known(user: str, password: str) -> Principal | None:
    if password != "pw" or user not in (*USERS, "healthy"):
        return None
    return operator_principal() if user == "desk" else device_principal(user)


def rss_mb() -> float:
    """Return what this process holds in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@contextlib.contextmanager
def _listening(errors: _Errors) -> Iterator[Endpoint]:
    """Yield the endpoint, with nothing but errors in the log."""
    root, level = logging.getLogger("collector"), logging.getLogger("collector").level
    root.addHandler(errors)
    logging.getLogger("asyncio").addHandler(errors)
    root.setLevel(logging.ERROR)
    committer = Committer(_Counting())
    committer.start()
    endpoint = Endpoint(committer, _known, port=0, limits=LIMITS)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()
        committer.stop()
        root.setLevel(level)
        root.removeHandler(errors)
        logging.getLogger("asyncio").removeHandler(errors)


def _left_over(endpoint: Endpoint) -> Iterator[str]:
    """Yield what the endpoint still counts although nobody is there any more."""
    until = time.monotonic() + STUCK_S
    counts = {"connected": 1, "waiting": 1}
    while any(counts.values()) and time.monotonic() < until:
        time.sleep(0.1)
        counts = {
            "connected": endpoint.connected,
            "waiting messages": endpoint.waiting[0],
            "waiting bytes": endpoint.waiting[1],
            "partial bytes": endpoint._partial,
            "asking": len(endpoint._asking),
        }
    yield from (f"{count} {name} are left over" for name, count in counts.items() if count)


def fuzz(packets: int, seed: int, told: Callable[[int], None] = lambda _: None) -> Outcome:
    """Attack with ``packets`` mutants and return what came of it; ``told`` hears the progress."""
    errors, memory = _Errors(), list[float]()
    with _listening(errors) as endpoint:
        attack, healthy = _Attack(endpoint, packets, seed), _Healthy(endpoint.port)
        endpoint._loop.set_exception_handler(lambda _, context: errors.found.append(str(context)))
        healthy.start()
        began = time.monotonic()
        running = asyncio.run_coroutine_threadsafe(attack.run(), endpoint._loop)
        wrong = _watch(running, attack, packets, memory, told)
        seconds = time.monotonic() - began
        healthy.over.set()
        healthy.join(STUCK_S)
        wrong += [] if wrong else _left_over(endpoint)
        memory.append(rss_mb())
        taken = endpoint._committer.messages
    wrong += [*healthy.wrong, *errors.found]
    if memory[-1] - memory[0] > GROWTH_MB:
        wrong.append(f"memory grew from {memory[0]:.0f} to {memory[-1]:.0f} MB")
    facts = (attack.mutants, attack.turns, seconds, memory[0], memory[-1])
    return Outcome(*facts, healthy.acknowledged, healthy.slowest_s, taken, tuple(wrong))


def _watch(
    running: Any, attack: _Attack, packets: int, memory: list[float], told: Callable[[int], None]
) -> list[str]:
    """Wait for the end of the attack as long as it makes progress; note memory at a tenth."""
    seen, moved_at = -1, time.monotonic()
    while not running.done():
        time.sleep(0.2)
        if attack.mutants >= packets / 10 and not memory:
            memory.append(rss_mb())
        if attack.turns != seen:
            seen, moved_at = attack.turns, time.monotonic()
            told(attack.mutants)
        elif time.monotonic() - moved_at > STUCK_S:
            faulthandler.dump_traceback()
            return [f"no progress after {attack.turns} turns"]
    if not memory:
        memory.append(rss_mb())
    error = running.exception()
    return [f"{error!r}, {error.__notes__}"] if error else []


def main() -> None:
    """Attack and print what came of it; the exit code says whether it was all right."""
    asked = [int(text) for text in sys.argv[1:]]
    packets, seed = (*asked, *(PACKETS, SEED)[len(asked) :])
    began = time.monotonic()

    def told(done: int) -> None:
        if sys.stderr.isatty():
            rate = done / (time.monotonic() - began)
            print(f"\r{done:,} of {packets:,}, {rate:,.0f}/s ", end="", file=sys.stderr)

    outcome = fuzz(packets, seed, told)
    print(f"{outcome.mutants:,} mutated packets in {outcome.turns:,} connections, seed {seed}")
    print(f"{outcome.seconds:.0f} s, {outcome.taken:,} messages reached the desk")
    print(f"healthy client: {outcome.healthy:,} acknowledged, slowest {outcome.slowest_s:.2f} s")
    print(f"memory {outcome.before_mb:.0f} MB after a tenth, {outcome.after_mb:.0f} MB at the end")
    for wrong in outcome.wrong:
        print(f"WRONG: {wrong}")
    print("all is well" if not outcome.wrong else "it is not well")
    sys.exit(bool(outcome.wrong))


if __name__ == "__main__":
    main()

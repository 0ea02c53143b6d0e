"""Our MQTT endpoint with many devices: the whole path, idle connections, a storm, the delay.

Each figure has a collector of its own in a process of its own: endpoint, decode, SQLite commit with
fsync, PUBACK, rules.

    python -m benchmarks.endpoint [sockets|idle|storm|delay|cpu ...]
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collector.admission import Principal, device_principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from desk.arrival import Arrival, Sink
from equipment.credential import Credential, credential
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting, desk_of, open_stores

ROWS = ((1, 100), (20, 100), (50, 100), (50, 500), (900, 1), (900, 20))
ROUNDS = 3
SOCKETS, MESSAGES = 900, 200_000
CROWD, KEEP_ALIVE_S, IDLE_S = 5000, 60, 30
RATE, DELAY_S = 2000, 20


# -- the collector, in a process of its own


class Timed:
    """Hands everything on, and notes when what was acted on was over."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._arrivals: Sequence[Arrival] = ()
        self.acted: list[tuple[float, Sequence[Arrival]]] = []

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        self._arrivals = arrivals
        return self._sink.keep(arrivals)

    def act(self, kept: Any) -> None:
        self._sink.act(kept)
        self.acted.append((time.monotonic(), self._arrivals))


def serve(folder: str, devices: str, timed: str) -> None:
    """Collect for ``devices`` devices; answer each line of input with one of JSON."""
    conf = load(data=Path(folder), mqtt_port=0)
    stores = open_stores(conf)
    names = [f"load-{number:04d}" for number in range(int(devices))]
    with stores.records.begin() as work:
        work.shelf(Site).put(Site("H1", "C1", Words("医院", "hospital"), 30.6, 104.1))
        for name in names:
            work.shelf(Device).put(Device(name, "H1", "CHEM", name))
            work.shelf(Credential).put(credential(name, "", "salt"))
    collecting = Collecting(conf, desk_of(conf, stores, wall_clock))
    clock = Timed(collecting.ingest)
    if timed == "timed":
        collecting.committer._sink = clock
    collecting.start()
    print(collecting.port, flush=True)
    for line in sys.stdin:
        endpoint: Any = collecting.listener
        if line.strip() == "letters":
            for name in names:
                endpoint.publish(f"fc/v1/H1/{name}/cmd", b"how are you?")
        stored = sum(tally.stored for tally in collecting.ingest.tallies.values())
        answer = {"cpu_s": time.process_time(), "stored": stored, "rss_mb": _rss_mb()}
        answer["connected"] = endpoint.connected
        if line.strip() == "delays":
            answer["acted"] = list(_acted(clock))
        print(json.dumps(answer), flush=True)
    collecting.stop()
    stores.close()


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _acted(clock: Timed) -> Iterator[tuple[str, int, float]]:
    for at, arrivals in clock.acted:
        for arrival in arrivals:
            yield arrival.topic.split("/")[3], json.loads(arrival.payload)["s"], at


class Child:
    """A process that answers each line with a line."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, question: str = "") -> Any:
        self.say(question)
        return json.loads(self.line())

    def say(self, words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def _child(module: str, *arguments: object) -> Iterator[Child]:
    child = Child(module, *arguments)
    try:
        yield child
    finally:
        child.end()


@contextlib.contextmanager
def _collector(devices: int, timed: str = "plain") -> Iterator[tuple[Child, int]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        _child("benchmarks.endpoint", "serve", folder, devices, timed) as server,
    ):
        yield server, int(server.line())


# -- the figures


def sockets() -> None:
    """Print what one process takes from 900 devices that all publish."""
    print(f"\n{SOCKETS} device sockets, all publishing, QoS 1, 12 metrics, rules, SQLite commit")
    print("window  messages/s  CPU us/message  RSS MB   (wanted: 10,000/s, 150 MB)")
    for window in (1, 20):
        with _collector(SOCKETS) as (server, port):
            before = server.ask()
            command = [sys.executable, "-m", "benchmarks.load", f"--port={port}"]
            command += [f"--messages={MESSAGES}", f"--connections={SOCKETS}", f"--window={window}"]
            began = time.perf_counter()
            outcome = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            assert outcome["acked"] == MESSAGES, outcome
            while (after := server.ask())["stored"] < MESSAGES:
                time.sleep(0.05)
            rest_s = time.perf_counter() - began - outcome["seconds"]
            cpu_us = (after["cpu_s"] - before["cpu_s"]) / MESSAGES * 1e6
            rate = MESSAGES / outcome["seconds"]
            print(f"{window:6}  {rate:10,.0f}  {cpu_us:14.1f}  {after['rss_mb']:6.0f}", end="")
            print(f"   (connecting and the last commit: {rest_s:.1f} s)")


def idle() -> None:
    """Print what 5,000 connections cost that only ping."""
    with (
        _collector(CROWD) as (server, port),
        _child("benchmarks.crowd", "idle", port, CROWD, KEEP_ALIVE_S, IDLE_S) as crowd,
    ):
        assert crowd.line() == "ready"
        before, began = server.ask(), time.monotonic()
        outcome = json.loads(crowd.line())
        after, seconds = server.ask(), time.monotonic() - began
    assert not outcome["lost"], outcome
    share = (after["cpu_s"] - before["cpu_s"]) / seconds
    print(f"\n{CROWD} idle connections, keep-alive {KEEP_ALIVE_S} s, {outcome['pings']} pings")
    print(f"{share:.1%} of a core   (wanted: 10 %), RSS {after['rss_mb']:.0f} MB")


def storm() -> None:
    """Print how long 5,000 clients need that all come back at once."""
    with (
        _collector(CROWD) as (server, port),
        _child("benchmarks.crowd", "storm", port, CROWD) as crowd,
    ):
        assert crowd.line() == "gone"
        while server.ask()["connected"]:
            time.sleep(0.1)
        before = server.ask("letters")
        outcome = crowd.ask()
        after = server.ask()
        while after["stored"] < CROWD:
            time.sleep(0.05)
            after = server.ask()
    assert outcome["heard"] == CROWD, outcome
    cpu_us = (after["cpu_s"] - before["cpu_s"]) / CROWD * 1e6
    print(f"\nreconnect storm, {CROWD} clients with sessions, at once: {cpu_us:.0f} us/client")
    print(f"all back after {outcome['back_s']:.1f} s, all acknowledged {outcome['acked_s']:.1f} s")
    print(f"{after['stored']} messages stored, {outcome['heard']} letters heard, of {CROWD} each")


def delay() -> None:
    """Print how long it takes from sending a message until the rules have seen it."""
    with (
        _collector(SOCKETS, "timed") as (server, port),
        _child("benchmarks.crowd", "paced", port, SOCKETS, RATE, DELAY_S) as crowd,
    ):
        sent_at = json.loads(crowd.line())
        acted = server.ask("delays")["acted"]
    delays_ms = [(at - sent_at[device][str(seq)]) * 1e3 for device, seq, at in acted]
    assert len(delays_ms) == sum(map(len, sent_at.values()))
    p50, p99, most = np.percentile(delays_ms, (50, 99, 100))
    print(f"\nsent -> stored and evaluated, {RATE} messages/s from {SOCKETS} devices")
    print(f"p50 {p50:.1f} ms  p99 {p99:.1f} ms  max {most:.1f} ms   (wanted: 25, 100)")


class Nothing:
    """A sink that keeps nothing, at once."""

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        return None

    def act(self, kept: Any) -> None:
        pass


def _everybody(user: str, _password: str) -> Principal | None:
    return device_principal(user)


def _measure(messages: int, connections: int, window: int, version: int) -> dict[str, float]:
    committer = Committer(Nothing())
    committer.start()
    endpoint = Endpoint(committer, _everybody, port=0)
    endpoint.start()
    command = [sys.executable, "-m", "benchmarks.load", f"--port={endpoint.port}"]
    command += [f"--messages={messages}", f"--connections={connections}"]
    command += [f"--window={window}", f"--version={version}"]
    before = time.process_time()
    outcome = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    cpu_s = time.process_time() - before
    endpoint.stop()
    committer.stop()
    assert outcome["acked"] == messages, outcome
    return {
        "us": cpu_s / messages * 1e6,
        "per_s": messages / outcome["seconds"],
        "batch": committer.messages / committer.batches,
    }


def cpu() -> None:
    """Print what the endpoint alone costs: receive, parse, acknowledge, keep nothing."""
    print("\nthe endpoint alone, with a sink that keeps nothing")
    print("MQTT  connections  window  CPU us/message  messages/s  messages/commit")
    for version in (4, 5):
        for connections, window in ROWS:
            rows = [_measure(MESSAGES, connections, window, version) for _ in range(ROUNDS)]
            best = min(rows, key=lambda row: row["us"])
            print(
                f"{'3.1.1' if version == 4 else '5':>5}  {connections:11}  {window:6}"
                f"  {best['us']:14.2f}  {best['per_s']:10,.0f}  {best['batch']:15,.0f}"
            )


FIGURES: dict[str, Callable[[], None]] = {
    "sockets": sockets,
    "idle": idle,
    "storm": storm,
    "delay": delay,
    "cpu": cpu,
}


def main() -> None:
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()

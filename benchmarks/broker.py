"""A collector behind mosquitto: how fast it drains a backlog, and what a message costs.

The backlog is drained by `mosquitto_sub`, which keeps nothing; by our connection alone, which
receives and acknowledges and keeps nothing either; and by the whole collector: read, decoded,
committed with fsync, acknowledged, judged by the rules. Then devices publish one message after the
other, and the CPU of mosquitto is set beside the collector's. The configuration is the shipped one.
Same messages, QoS 1, 12 metrics, alternating.

python -m benchmarks.broker [messages]
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.ingest import ask, child, cpu_of, record, serve, settled
from collector.committer import Committer
from collector.mqtt import RECEIVE_MAXIMUM, listen
from desk.arrival import Arrival
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting, desk_of, open_stores
from tests.servers import Mosquitto, program

ROUNDS = 3
DEVICES = 200
FILTER = "fc/v1/+/+/+"


def collect(folder: str, url: str) -> None:
    """Collect from the broker until told to end; count what is committed."""
    conf = load(data=Path(folder), broker=url)
    stores = open_stores(conf)
    record(stores.records, DEVICES)
    collecting = Collecting(conf, desk_of(conf, stores, wall_clock))
    collecting.start()
    serve(0, lambda: collecting.committer.messages)
    collecting.stop()
    stores.close()


class Nowhere:
    """Takes everything and keeps nothing, as ``mosquitto_sub`` does."""

    def keep(self, arrivals: Sequence[Arrival]) -> None:
        pass

    def act(self, kept: None) -> None:
        pass


def receive(_folder: str, url: str) -> None:
    """Receive from the broker and acknowledge, until told to end."""
    committer = Committer(Nowhere())
    committer.start()
    broker = listen(url, committer)
    serve(0, lambda: committer.messages)
    broker.stop()
    committer.stop()


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[Mosquitto]:
    users = {"fieldcare": "collects", **{f"load-{n:04d}": "pw" for n in range(DEVICES)}}
    server = Mosquitto(folder, users)
    server.prepare()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _pid(server: Mosquitto) -> int:
    assert server.process is not None
    return server.process.pid


def _push(server: Mosquitto, messages: int, window: int, rate: float = 0.0) -> None:
    command = [sys.executable, "-m", "benchmarks.load", f"--port={server.port}", "--password=pw"]
    command += [f"--messages={messages}", f"--connections={DEVICES}", f"--window={window}"]
    command += [f"--rate={rate}"]

    outcome = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert outcome["acked"] == messages, outcome


def _sub(server: Mosquitto, *more: str) -> list[str]:
    command = [program("mosquitto_sub"), "-V", "5", "-h", "127.0.0.1", "-p", str(server.port)]
    command += ["-u", "fieldcare", "-P", "collects", "-i", "sub", "-c", "-q", "1", "-t", FILTER]
    return [*command, "-D", "connect", "receive-maximum", str(RECEIVE_MAXIMUM), *more]


def _drained_by_sub(messages: int) -> float:
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as server:
        subprocess.run(_sub(server, "-E"), check=True)
        _push(server, messages, 100)
        started = time.perf_counter()
        subprocess.run(_sub(server, "-C", str(messages)), check=True, stdout=subprocess.DEVNULL)
        return messages / (time.perf_counter() - started)


def _drained_by_us(messages: int, what: str) -> float:
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as server:
        arguments = (what, str(Path(folder) / "data"), server.url("fieldcare"))
        with child("benchmarks.broker", *arguments) as (process, _):
            time.sleep(0.5)  # its session is there now
            ask(process)
        _push(server, messages, 100)
        with child("benchmarks.broker", *arguments) as (process, _):
            started = time.perf_counter()
            before = ask(process)["messages"]
            while ask(process)["messages"] < messages:
                time.sleep(0.005)
            return (messages - before) / (time.perf_counter() - started)


def _live(messages: int, window: int) -> dict[str, float]:
    """Return CPU us per message of both, while devices publish as fast as they are answered."""
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as server:
        arguments = ("collect", str(Path(folder) / "data"), server.url("fieldcare"))
        with child("benchmarks.broker", *arguments) as (process, _):
            time.sleep(0.5)
            before, broker = ask(process), cpu_of(_pid(server))
            started = time.perf_counter()
            _push(server, messages, window)
            while ask(process)["messages"] < messages:
                time.sleep(0.02)
            seconds = time.perf_counter() - started
            broker_s = cpu_of(_pid(server)) - broker
            ours_s = settled(process) - before["cpu_s"]
    scale = 1e6 / messages
    return {"ours": ours_s * scale, "broker": broker_s * scale, "per_s": messages / seconds}


def _middle(rows: list[float]) -> float:
    return sorted(rows)[len(rows) // 2]


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    by_sub, received, collected = [], [], []
    for _ in range(ROUNDS):
        by_sub.append(_drained_by_sub(messages))
        received.append(_drained_by_us(messages, "receive"))
        collected.append(_drained_by_us(messages, "collect"))
    sub = _middle(by_sub)
    print(f"\nbacklog of {messages:,} messages, QoS 1, 12 metrics; median of {ROUNDS}")
    print(f"mosquitto_sub, which keeps nothing       {sub:10,.0f} messages/s")
    for name, rates in (("received, nothing kept", received), ("committed and judged", collected)):
        us = _middle(rates)
        print(f"fieldcare, {name:30}{us:10,.0f} messages/s   {us / sub:.2f} of it")
    print("\ndevices  window   mosquitto us/message   fieldcare us/message   ratio   messages/s")
    for window in (1, 100):
        rows = [_live(messages, window) for _ in range(ROUNDS)]
        broker, ours = (_middle([row[who] for row in rows]) for who in ("broker", "ours"))
        rate = _middle([row["per_s"] for row in rows])
        print(
            f"{DEVICES:7} {window:7} {broker:22.1f} {ours:22.1f} {ours / broker:7.2f} {rate:12,.0f}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["collect"]:
        collect(*sys.argv[2:])
    elif sys.argv[1:2] == ["receive"]:
        receive(*sys.argv[2:])
    else:
        main()

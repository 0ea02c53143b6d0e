"""Broker and collector are killed in the middle of a stream; devices send their last bit again.

A broker acknowledges before it has saved: kill -9 may cost what it took in its last second.
A device therefore sends again, after a lost connection, what was acknowledged shortly before.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fieldcare.settings import load
from fieldcare.wiring import open_stores
from tests.collector.given_endpoint import until
from tests.servers import Mosquitto, mosquitto

ROOT = Path(__file__).parent.parent.parent
SEED, TURNS, DEVICES, EACH = 11, 4, 4, 2000
START_MS = 1_790_000_000_000
NAMES = [f"load-{n:04d}" for n in range(DEVICES)]


@contextmanager
def collector(folder: Path, server: Mosquitto) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.broker", "collect", str(folder)]
    process = subprocess.Popen(
        [*command, server.url("fieldcare")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def push(server: Mosquitto, first: int, turn: int, rate: float) -> subprocess.Popen[str]:
    """Publish EACH messages of every device from number ``first`` on, ``turn`` ms later each."""
    command = [sys.executable, "-m", "benchmarks.load", f"--port={server.port}", "--password=pw"]
    command += [f"--messages={DEVICES * EACH}", f"--connections={DEVICES}", "--window=20"]
    command += [f"--first-seq={first}", f"--start-ms={START_MS + turn}", f"--rate={rate}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def ended(pushing: subprocess.Popen[str]) -> bool:
    """Return whether every message was acknowledged."""
    said, _ = pushing.communicate(timeout=60)
    return bool(json.loads(said)["acked"] == DEVICES * EACH)


def stored(folder: Path) -> dict[str, Counter[int]]:
    """Return how often each number of each device is in the store, whichever turn it is of."""
    stores = open_stores(load(data=folder))
    try:
        found = {}
        for device in NAMES:
            kept = stores.telemetry.raw(device, 0, 1 << 50, ["wash_vacuum"])
            at_ms = kept["wash_vacuum"].at_ms if kept else []
            found[device] = Counter((int(at) - START_MS) // 1000 for at in at_ms)
        return found
    finally:
        stores.close()


@pytest.mark.mosquitto
def test_nothing_is_missing_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    chance, data, first = random.Random(SEED), tmp_path / "data", 0
    users = {"fieldcare": "collects"} | dict.fromkeys(NAMES, "pw")
    (tmp_path / "mq").mkdir()
    with mosquitto(tmp_path / "mq", **users) as server:
        with collector(data, server):
            time.sleep(1.5)  # the session is there, and saved
        for turn in range(TURNS):
            with collector(data, server) as running:
                pushing = push(server, first, turn, 4000)
                time.sleep(chance.uniform(0.5, 2.0))
                if turn % 2:
                    running.send_signal(signal.SIGKILL)
                else:
                    server.kill()
                    server.start()
                if ended(pushing):
                    first += EACH  # else all of it is sent again
        with collector(data, server):
            pushing = push(server, first, TURNS, 0)
            assert ended(pushing)
            want = list(range(first + EACH))
            until(lambda: all(sorted(s) == want for s in stored(data).values()))
    assert all(times == 1 for numbers in stored(data).values() for times in numbers.values())

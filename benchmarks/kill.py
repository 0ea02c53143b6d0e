"""Nothing acknowledged is lost: kill -9 of the whole path under load, again and again.

Endpoint, ledger, SQLite and rules run in one process that is killed while devices push messages of
QoS 1 into it. Every device then sends again what was not acknowledged, and some that was, with
another time, so that a message which is stored twice shows.

python -m benchmarks.kill [kills]
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import Plan
from equipment.credential import Credential, credential
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting, desk_of, open_stores
from storage.sqlite import SqliteTelemetry

KILLS, CONNECTIONS, MESSAGES, WINDOW = 10, 20, 100_000, 100
OVERLAP = 100  # acknowledged messages that every device sends again
WITHIN_S = (0.1, 0.9)  # after the first acknowledgement
PATIENCE_S = 60.0
SEED = 7
DEVICES = tuple(f"{Plan._field_defaults['prefix']}{n:04d}" for n in range(CONNECTIONS))


class Tally(NamedTuple):
    """What became of the messages. ``again`` were sent although they were acknowledged."""

    kills: int
    acked: int
    again: int
    lost: int
    duplicated: int
    restart_s: float


def serve(folder: str) -> None:
    """Run the whole path on ``folder`` until killed; the first line printed is the port."""
    conf = load(data=Path(folder), mqtt_port=0)
    stores = open_stores(conf)
    with stores.records.begin() as work:
        work.shelf(Site).put(Site("H1", "C1", Words("医院", "hospital"), 30.6, 104.1))
        for device in DEVICES:
            work.shelf(Device).put(Device(device, "H1", "CHEM", device))
            work.shelf(Credential).put(credential(device, "", "salt"))
    collecting = Collecting(conf, desk_of(conf, stores, wall_clock))
    collecting.start()
    print(collecting.port, flush=True)
    signal.pause()


@contextlib.contextmanager
def served(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run ``serve`` on ``folder`` in a process of its own; yield it and its port."""
    command = [sys.executable, "-m", "benchmarks.kill", "serve", str(folder)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def acknowledged(file: Path) -> dict[str, list[int]]:
    """Return the acknowledged numbers of each device."""
    found: dict[str, list[int]] = defaultdict(list)
    if file.exists():
        for line in file.read_text().splitlines():
            device, _boot, seq = line.split()
            found[device].append(int(seq))
    return found


def _push_and_kill(
    folder: Path, file: Path, first_seq: int, start_ms: int, messages: int, *, after_s: float
) -> float:
    """Kill the server ``after_s`` into the load; return how long its start took."""
    began = time.perf_counter()
    with served(folder) as (server, port):
        started_s = time.perf_counter() - began
        size = file.stat().st_size if file.exists() else 0
        command = [sys.executable, "-m", "benchmarks.load", f"--port={port}", f"--acked={file}"]
        command += [f"--messages={messages}", f"--connections={CONNECTIONS}", f"--window={WINDOW}"]
        command += [f"--first-seq={first_seq}", f"--start-ms={start_ms}"]
        pushing = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + PATIENCE_S
        while not file.exists() or file.stat().st_size <= size:
            assert pushing.poll() is None, "the load ended before the first acknowledgement"
            assert time.monotonic() < give_up_at, "nothing is acknowledged"
            time.sleep(0.005)
        time.sleep(after_s)
        assert pushing.poll() is None, "the load ended before the kill"
        server.send_signal(signal.SIGKILL)
        pushing.wait(PATIENCE_S)
    return started_s


def _stored(folder: Path, start_ms: int) -> dict[str, Counter[int]]:
    """Return how often each number of each device is in the store."""
    telemetry = SqliteTelemetry(folder / "telemetry.sqlite")
    found = {}
    for device in DEVICES:
        at_ms = telemetry.raw(device, start_ms, 1 << 50, ["wash_vacuum"])["wash_vacuum"].at_ms
        found[device] = Counter(((at_ms - start_ms) // 1000).tolist())
    telemetry.close()
    return found


def run(
    folder: Path,
    kills: int = KILLS,
    messages: int = MESSAGES,
    within_s: tuple[float, float] = WITHIN_S,
) -> Tally:
    """Kill ``kills`` times under a load of ``messages`` each, and count what is in the store.

    Round n stamps its messages n ms later, so a number that is stored in two rounds counts twice.
    """
    chance, file = random.Random(SEED), folder / "acked"
    start_ms = int((wall_clock() - timedelta(days=60)).timestamp() * 1000)
    first_seq, again, starts = 0, 0, []
    for turn in range(kills):
        before = {device: len(seqs) for device, seqs in acknowledged(file).items()}
        after_s = chance.uniform(*within_s)
        starts.append(
            _push_and_kill(folder, file, first_seq, start_ms + turn, messages, after_s=after_s)
        )
        acked = acknowledged(file)
        new = {device: seqs[before.get(device, 0) :] for device, seqs in acked.items()}
        last = min(max(acked[device], default=-1) for device in DEVICES)
        first_seq = max(0, last + 1 - OVERLAP)
        again += sum(seq >= first_seq for seqs in new.values() for seq in seqs)
    with served(folder):
        pass  # one more start: what was stored last is read again
    stored, acked = _stored(folder, start_ms), acknowledged(file)
    numbers = {(device, seq) for device, seqs in acked.items() for seq in seqs}
    return Tally(
        kills,
        len(numbers),
        again,
        sum(stored[device][seq] == 0 for device, seq in numbers),
        sum(times > 1 for counts in stored.values() for times in counts.values()),
        max(starts),
    )


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder), kills)
    print(
        f"kill -9 under load: {CONNECTIONS} devices, QoS 1, 12 metrics, acknowledged after commit"
    )
    print("kills  acknowledged  sent again  lost  duplicated  longest start s")
    print(
        f"{tally.kills:5}  {tally.acked:12,}  {tally.again:10,}  {tally.lost:4}"
        f"  {tally.duplicated:10}  {tally.restart_s:15.1f}"
    )
    if tally.lost or tally.duplicated:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        main()

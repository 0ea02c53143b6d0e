"""A disk that is full: nothing is acknowledged that is not stored, and it goes on by itself.

The data folder is a small tmpfs with ballast in it. First round: devices push until nothing is
acknowledged any more, then the collector is killed with signal 9; whatever was acknowledged must
be there. Second round: the ballast is removed while devices wait; everything must get through
without a hand. Both with the embedded store and with the spool of an InfluxDB that is away.

python -m benchmarks.full_disk        (as root: it mounts a tmpfs)
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import kill
from benchmarks.faults import Fleet, Story
from benchmarks.resending import counts, name
from fieldcare.settings import Settings, load
from fieldcare.wiring import open_stores
from tests.servers import free_port

DISK_MB, ROOM_MB = 96, 6
MESSAGES, DEVICES = 150_000, kill.CONNECTIONS
STALLED_S, PATIENCE_S = 3.0, 120.0
START_MS = 1_790_000_000_000 - 90 * 86_400_000


class Findings(NamedTuple):
    """What became of one engine's messages."""

    engine: str
    acked: int
    lost: int
    waited: int
    missing: int
    duplicated: int
    recovery_s: float


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a tmpfs of ``DISK_MB``. Raises PermissionError where that is not allowed."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PermissionError(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def _fill(disk: Path) -> Path:
    """Leave ``ROOM_MB`` of the disk."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - ROOM_MB * 2**20))
    return ballast


def _until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, "nothing is acknowledged"
        time.sleep(0.01)


def _stalled(count: Callable[[], int]) -> None:
    """Return when ``count`` has not grown for ``STALLED_S``."""
    last, since, give_up = -1, time.monotonic(), time.monotonic() + PATIENCE_S
    while time.monotonic() - since < STALLED_S:
        assert time.monotonic() < give_up, "the disk does not fill"
        now = count()
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)


def _stored(conf: Settings) -> dict[str, list[int]]:
    """Return the numbers that are stored of each device."""
    found: dict[str, list[int]] = {name(n): [] for n in range(DEVICES)}
    stores = open_stores(conf)
    if conf.telemetry == "sqlite":
        for device in found:
            at_ms = stores.telemetry.raw(device, 0, 1 << 42, ["wash_vacuum"])
            series = at_ms.get("wash_vacuum")
            found[device] = [] if series is None else ((series.at_ms - START_MS) // 1000).tolist()
    else:
        for batch in stores.telemetry.batches(0):
            for block in batch.blocks:
                for device, seq in zip(block.devices, block.seqs, strict=True):
                    found[device].append(int(seq))
    stores.close()
    return found


def _killed_while_full(disk: Path, conf: Settings) -> tuple[int, int]:
    """Return how many messages were acknowledged, and how many of these are not stored."""
    acked = Path(tempfile.mkstemp()[1])
    with kill.served(conf.data, FIELDCARE_TELEMETRY=conf.telemetry) as (_, port):
        command = [sys.executable, "-m", "benchmarks.load", f"--port={port}", f"--acked={acked}"]
        command += [f"--messages={MESSAGES}", f"--connections={DEVICES}", "--window=100"]
        with subprocess.Popen(
            [*command, f"--start-ms={START_MS}"], stdout=subprocess.DEVNULL
        ) as pushing:
            _until(lambda: acked.stat().st_size > 0)
            ballast = _fill(disk)
            _stalled(lambda: acked.stat().st_size)
            assert pushing.poll() is None, "everything was acknowledged: the disk never was full"
            pushing.kill()
    ballast.unlink()
    told, stored = kill.acknowledged(acked), _stored(conf)
    acked.unlink()
    lost = sum(len(set(seqs) - set(stored[device])) for device, seqs in told.items())
    return sum(map(len, told.values())), lost


def _recovered(disk: Path, conf: Settings) -> tuple[int, int, int, float]:
    """Return how many waited, are missing, are stored twice; and after how long it went on."""
    with kill.served(conf.data, FIELDCARE_TELEMETRY=conf.telemetry) as (_, port):
        story = Story(MESSAGES, DEVICES, rate=20_000.0)
        fleet = Fleet(story, port, START_MS, password="")
        try:
            fleet.wait(1)
            ballast = _fill(disk)
            _stalled(lambda: fleet.acked)
            stopped_at = fleet.acked
            assert stopped_at < MESSAGES, "everything was acknowledged: the disk never was full"
            ballast.unlink()
            began = time.monotonic()
            fleet.wait(stopped_at + 1)
            recovery_s = time.monotonic() - began
            fleet.wait()
        finally:
            fleet.stop()
    stored = _stored(conf)
    expected = dict(zip(stored, counts(MESSAGES, DEVICES), strict=True))
    missing = sum(expected[device] - len(set(seqs)) for device, seqs in stored.items())
    twice = sum(len(seqs) - len(set(seqs)) for seqs in stored.values())
    return MESSAGES - stopped_at, missing, twice, recovery_s


def run(engine: str, telemetry: str) -> Findings:
    """Fill the disk under the engine that ``telemetry`` sets, twice."""
    with small_disk() as disk:
        conf = load(data=disk / "data", telemetry=telemetry)
        acked, lost = _killed_while_full(disk, conf)
    with small_disk() as disk:
        conf = load(data=disk / "data", telemetry=telemetry)
        return Findings(engine, acked, lost, *_recovered(disk, conf))


def main() -> None:
    away = f"influx://127.0.0.1:{free_port()}/fieldcare"
    print("engine      acked before  lost  waiting when full  missing  twice  goes on after s")
    bad = 0
    for engine, telemetry in (("embedded", "sqlite"), ("spool", away)):
        found = run(engine, telemetry)
        bad += found.lost + found.missing + found.duplicated
        print(
            f"{found.engine:10}  {found.acked:12,}  {found.lost:4}  {found.waited:17,}"
            f"  {found.missing:7}  {found.duplicated:5}  {found.recovery_s:15.1f}"
        )
    if bad:
        sys.exit(1)


if __name__ == "__main__":
    main()

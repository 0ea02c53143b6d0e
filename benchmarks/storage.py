"""What the embedded telemetry store costs: append, bytes per value, and reading back.

    python -m benchmarks.storage             # 2-4 minutes, most of it paced at 2,000 rows a second

Three files. *History*: a few devices have 30 days of 12 metrics every 10 s, 5,000 have some
readings; what is read back is read from here. *Fleet*: 5,000 devices report by turns, flat out
until chunks are sealed, then at 2,000 rows a second while they are, then flat out in batches as
large as the committer makes them. *Bare*: appends without sealing. Values have 1 to 3 decimals,
noise and a swing. Reads are timed on everything that is in memory and in chunks, by a seeded order.
"""

import argparse
import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from equipment.reading import Batch, Block, Floats, Ints
from storage.interface import Checkpoint
from storage.sqlite import SqliteTelemetry

Table = list[tuple[str, str]]
T0, HOUR, DAY = 1_790_000_000_000, 3_600_000, 86_400_000
SIGNALS = (  # name, nominal, noise, swing, decimals
    ("reaction_bath_temp", 37.0, 0.03, 0.03, 2),
    ("wash_vacuum", -70, 1.0, 1.5, 2),
    ("water_pressure", 220, 5, 10, 1),
    ("water_resistivity", 16, 0.4, 0.5, 2),
    ("sample_asp_peak_pressure", 20, 1.5, 0.3, 1),
    ("reagent_cooler_temp", 5.0, 0.2, 0.4, 2),
    ("reagent_cooler_duty", 45, 4, 6, 1),
    ("carousel_motor_current", 1.2, 0.08, 0.05, 3),
    ("cabinet_temp", 26, 0.5, 2, 2),
    ("ambient_temp", 22, 0.4, 1.5, 2),
    ("ambient_rh", 45, 2, 8, 1),
    ("psu_24v", 24.0, 0.05, 0, 3),
)
METRICS = tuple(name for name, *_ in SIGNALS)
_, NOMINAL, NOISE, SWING, DECIMALS = (np.array(column) for column in zip(*SIGNALS, strict=True))
NOMINAL, NOISE, SWING = NOMINAL.astype(float), NOISE.astype(float), SWING.astype(float)
SHIFT = 10.0 ** DECIMALS.astype(int)


def values(at: Ints, rng: np.random.Generator) -> Floats:
    """Values of all metrics at the instants ``at``, ms after T0."""
    swing = np.sin(2 * np.pi * (at % DAY) / DAY)[:, np.newaxis]
    noise = rng.standard_normal((len(at), len(METRICS)))
    return np.rint((NOMINAL + SWING * swing + NOISE * noise) * SHIFT) / SHIFT


def batch(devices: Ints, at: Ints, rng: np.random.Generator) -> Batch:
    """One row of device ``devices[i]`` at ``at[i]`` ms after T0 each."""
    n, names = len(devices), [f"CHEM-{i:05d}" for i in devices.tolist()]
    false = np.zeros(n, np.bool_)
    rows = values(at, rng)
    return Batch([Block(METRICS, names, T0 + at, rows, ["7f3a"] * n, at // 10_000, false)])


def history(few: int, devices: int, days: int) -> Iterator[Batch]:
    """``few`` devices report every 10 s, the others once an hour."""
    rng = np.random.default_rng(1)
    for start in range(0, days * DAY, HOUR):
        at = np.repeat(np.arange(start, start + HOUR, 10_000), few)
        yield batch(np.tile(np.arange(few), len(at) // few), at, rng)
        if start >= (days - 1) * DAY:
            yield batch(np.arange(few, devices), start + np.arange(few, devices), rng)


class Fleet:
    """Rows of ``devices`` devices by turns, one every 2.5 s of each."""

    def __init__(self, devices: int) -> None:
        self._devices, self._row = devices, 0
        self._rng = np.random.default_rng(2)

    def next(self, rows: int) -> Batch:
        """Return the next ``rows`` rows."""
        row = np.arange(self._row, self._row + rows)
        self._row += rows
        return batch(row % self._devices, row // self._devices * 2_500, self._rng)


class Took(NamedTuple):
    """How long each of some calls took: wall and CPU time, s."""

    wall: list[float]
    cpu: list[float]

    def time(self, work: Callable[[], object]) -> None:
        """Add a call of ``work``."""
        wall, cpu = time.perf_counter(), time.thread_time()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.thread_time() - cpu)

    def __str__(self) -> str:
        p50, p99 = np.percentile(self.wall, (50, 99)) * 1e3
        cpu, most = np.median(self.cpu) * 1e3, max(self.cpu) * 1e3
        return (
            f"p50 {p50:6.1f}  p99 {p99:6.1f}  worst {max(self.wall) * 1e3:6.1f} ms"
            f"   CPU p50 {cpu:6.1f}  worst {most:6.1f} ms"
        )


def append(
    store: SqliteTelemetry, batches: Iterable[Batch], *, every_s: float = 0.0, beside: Path
) -> tuple[Took, Took]:
    """Append ``batches``, one every ``every_s``, with checkpoints as the rules keep them.

    After each one a page is written to ``beside`` and synchronised: what the disk takes for that
    at the same time. Returns both.
    """
    appended, synchronised = Took([], []), Took([], [])
    due = time.perf_counter()
    with beside.open("wb") as file:

        def write() -> None:
            file.write(bytes(16_384))
            file.flush()
            os.fsync(file.fileno())

        for number, made in enumerate(batches, 1):
            time.sleep(max(0.0, due - time.perf_counter()))
            due = max(due + every_s, time.perf_counter() - 1)
            appended.time(lambda made=made: store.append(made))
            if every_s:
                synchronised.time(write)
            if number % 20 == 0:
                store.keep_checkpoint(Checkpoint(number - 2, b""))
    return appended, synchronised


def timed(work: Callable[[], object], times: int = 100) -> str:
    took = Took([], [])
    for _ in range(times):
        took.time(work)
    return str(took)


def bare(folder: Path) -> Table:
    """The cost of a row in ``append`` alone: packed, committed, in memory."""
    with closing(SqliteTelemetry(folder / "bare.db", chunk_rows=10**9, memory=2**40)) as store:
        fleet, beside = Fleet(1000), folder / "beside"
        took, _ = append(store, [fleet.next(1000) for _ in range(100)], beside=beside)
    return [("append, CPU per row, without sealing", f"{sum(took.cpu) / 100_000 * 1e6:.2f} us")]


def fleet(folder: Path, args: argparse.Namespace) -> Table:
    with closing(SqliteTelemetry(folder / "fleet.db")) as store:
        fleet, beside = Fleet(args.devices), folder / "beside"
        filling = (fleet.next(1000) for _ in range(args.fill // 1000))
        filled, _ = append(store, filling, beside=beside)
        pacing = (fleet.next(100) for _ in range(20 * args.seconds))
        paced, synchronised = append(store, pacing, every_s=0.05, beside=beside)
        flooding = (fleet.next(20_000) for _ in range(args.flat // 20_000))
        flooded, _ = append(store, flooding, beside=beside)
        gc.collect()
        rows = args.fill + args.flat
        return [
            (f"append, {args.devices:,} devices, 1,000 rows, flat out", str(filled)),
            ("append, 100 rows, 2,000 rows/s, sealing", str(paced)),
            ("  a page written and synchronised beside it", str(synchronised)),
            ("append, 20,000 rows, flat out, sealing", str(flooded)),
            (
                "append, CPU per row, sealing included",
                f"{sum(filled.cpu + flooded.cpu) / rows * 1e6:.2f} us",
            ),
            (
                "file and log",
                f"{megabytes(folder, 'fleet.db')}, {megabytes(folder, 'fleet.db-wal')}",
            ),
            *size(store),
        ]


def megabytes(folder: Path, name: str) -> str:
    return f"{(folder / name).stat().st_size / 1e6:.0f} MB"


def size(store: SqliteTelemetry) -> Table:
    """Bytes per value: packed, with summaries, and the whole pages of chunks and indices."""
    with store._tail.reading() as db:
        chunks, rows, blobs, summaries = db.execute(
            "SELECT count(*), sum(n), sum(length(blob)), total(length(summary)) FROM chunk"
        ).fetchone()
        pages = "SELECT sum(pgsize) FROM dbstat WHERE name IN ('chunk', 'chunk_of', 'device')"
        (used,) = db.execute(pages).fetchone()
    n = rows * len(METRICS)
    return [
        ("  chunks", f"{chunks:,}, {rows / chunks:.0f} rows each"),
        ("  bytes per value, packed", f"{blobs / n:.2f}"),
        ("  bytes per value, with summaries", f"{(blobs + summaries) / n:.2f}"),
        ("  bytes per value, whole pages, indices", f"{used / n:.2f}"),
    ]


def reads(folder: Path, args: argparse.Namespace) -> Table:
    with closing(SqliteTelemetry(folder / "history.db")) as store:
        append(store, history(args.few, args.devices, args.days), beside=folder / "beside")
        gc.collect()
        rng, end = np.random.default_rng(3), T0 + args.days * DAY
        everyone = [f"CHEM-{i:05d}" for i in range(args.devices)]

        def one() -> str:
            return everyone[rng.integers(args.few)]

        def day() -> int:
            return T0 + int(rng.integers((args.days - 1) * DAY))

        def raw(length: int, metrics: Sequence[str] | None = None) -> Callable[[], object]:
            return lambda: store.raw(one(), start := day(), start + length, metrics)

        def window(metrics: Sequence[str]) -> Callable[[], object]:
            return lambda: store.window(one(), metrics, T0 + 123_456, end, 500)

        return [
            (f"24 h of one of {args.few} devices, 12 metrics", timed(raw(DAY))),
            ("24 h of one metric", timed(raw(DAY, METRICS[1:2]))),
            ("one hour, 12 metrics", timed(raw(HOUR))),
            (f"{args.days} d to 500 points, one metric", timed(window(METRICS[1:2]))),
            (f"{args.days} d to 500 points, 12 metrics", timed(window(METRICS))),
            (f"last of {args.devices:,} devices", timed(lambda: store.last(everyone))),
            *size(store),
        ]


def open_again(folder: Path) -> Table:
    began = time.perf_counter()
    with closing(SqliteTelemetry(folder / "fleet.db")):
        took = time.perf_counter() - began
    return [("open the fleet's file again", f"{took * 1e3:.0f} ms")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--few", type=int, default=3, help="devices that have --days of readings")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--fill", type=int, default=700_000, help="rows before the paced ones")
    parser.add_argument("--seconds", type=int, default=40, help="of 2,000 rows")
    parser.add_argument("--flat", type=int, default=3_000_000, help="rows in batches of 20,000")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        for part in (
            lambda: bare(folder),
            lambda: fleet(folder, args),
            lambda: open_again(folder),
            lambda: reads(folder, args),
        ):
            for what, figure in part():
                print(f"{what:48} {figure}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'most memory':48} {peak:.0f} MB")


if __name__ == "__main__":
    main()

"""What the embedded telemetry store costs: append, bytes per value, and reading back.

    python -m benchmarks.storage                # 24 h of 12 metrics every 10 s for 300 devices
    python -m benchmarks.storage --full 5000    # for all: 518 million values, some minutes

The others of 5,000 devices report every 10 minutes. Values have 1 to 3 decimals, noise and a swing.
"""

import argparse
import gc
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from equipment.reading import Batch, Block
from storage.interface import Checkpoint
from storage.sqlite import SqliteTelemetry

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


def batch(devices: np.ndarray, at: int, rng: np.random.Generator) -> Batch:
    """One row of every device of ``devices``, within a period of 10 s after ``at``."""
    n = len(devices)
    swing = np.sin(2 * np.pi * (at % DAY) / DAY)
    values = NOMINAL + SWING * swing + NOISE * rng.standard_normal((n, len(METRICS)))
    return Batch(
        [
            Block(
                metrics=METRICS,
                devices=[f"CHEM-{i:05d}" for i in devices],
                at_ms=T0 + at + devices * 2,
                values=np.rint(values * SHIFT) / SHIFT,
                boots=["7f3a"] * n,
                seqs=np.full(n, at // 10_000, np.int64),
                lateness=np.zeros(n, np.int8),
            )
        ]
    )


def day(full: int, devices: int, hours: float) -> Iterator[Batch]:
    """A day: the first ``full`` devices every 10 s, the others every 10 min."""
    rng = np.random.default_rng(1)
    for at in range(0, int(hours * HOUR), 10_000):
        slot = (at // 10_000) % 60
        sparse = np.arange(full + slot, devices, 60)
        yield batch(np.concatenate((np.arange(full), sparse)), at, rng)


def timed(work: Callable[[], object], times: int = 20) -> str:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1e3)
    return f"p50 {np.percentile(took, 50):.2f} ms, worst of {times} {max(took):.2f} ms"


def fill(store: SqliteTelemetry, args: argparse.Namespace) -> list[tuple[str, str]]:
    rows, cpu, walls = 0, 0.0, []
    for made in day(args.full, args.devices, args.hours):
        began, wall = time.process_time(), time.perf_counter()
        id = store.append(made)
        cpu += time.process_time() - began
        walls.append((time.perf_counter() - wall) * 1e3)
        rows += len(made.blocks[0])
        if id % 100 == 0:
            store.keep_checkpoint(Checkpoint(id - 10, b""))
    return [
        ("rows appended", f"{rows:,} of {len(METRICS)} metrics, {rows // len(walls)} per append"),
        ("append, CPU per row, seals included", f"{cpu / rows * 1e6:.2f} us"),
        ("append, ms", "p50 {:.1f}, p99 {:.1f}, worst {:.1f}".format(*spread(walls))),
    ]


def spread(walls: list[float]) -> tuple[float, float, float]:
    return float(np.percentile(walls, 50)), float(np.percentile(walls, 99)), max(walls)


def without_seals() -> list[tuple[str, str]]:
    """The cost of a row in ``append`` alone: packed, committed, in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.db"
        with closing(SqliteTelemetry(path, chunk_rows=10**9, memory=2**40)) as store:
            rng = np.random.default_rng(1)
            made = [batch(np.arange(1000), at, rng) for at in range(0, 1_000_000, 10_000)]
            began = time.process_time()
            for one in made:
                store.append(one)
            cpu = time.process_time() - began
    return [("append, CPU per row, without seals", f"{cpu / 100_000 * 1e6:.2f} us")]


def size(store: SqliteTelemetry, path: Path, hours: float) -> list[tuple[str, str]]:
    with store._tail.reading() as db:
        chunks, blobs, rows = db.execute(
            "SELECT count(*), sum(length(blob)), sum(n) FROM chunk"
        ).fetchone()
        tail = db.execute("SELECT coalesce(sum(length(blob)), 0) FROM tail").fetchone()[0]
        pages, free, page = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    values = rows * len(METRICS)
    return [
        ("chunks", f"{chunks:,}, {rows / chunks:.0f} rows each"),
        ("bytes per sealed value", f"{blobs / values:.2f}"),
        (
            "bytes per value, pages of the file less tail and free",
            f"{((pages - free) * page - tail) / values:.2f}",
        ),
        ("file", f"{path.stat().st_size / 1e6:.0f} MB, of it tail {tail / 1e6:.0f} MB"),
    ]


def read(store: SqliteTelemetry, args: argparse.Namespace) -> list[tuple[str, str]]:
    end = T0 + int(args.hours * HOUR)
    rng = np.random.default_rng(2)

    def one() -> str:
        return f"CHEM-{rng.integers(args.full):05d}"

    def raw(start: int, metrics: list[str] | None = None) -> Callable[[], object]:
        return lambda: store.raw(one(), start, end, metrics)

    everyone = [f"CHEM-{i:05d}" for i in range(args.devices)]
    rows = len(store.raw("CHEM-00000", T0, end)["psu_24v"].at_ms)
    window = ["wash_vacuum"], T0, end, 500
    return [
        (f"raw, {args.hours:g} h of one device, {rows} rows", timed(raw(T0), 100)),
        ("raw, the same, one metric", timed(raw(T0, ["wash_vacuum"]), 100)),
        ("raw, one hour", timed(raw(end - HOUR), 100)),
        ("window, 500 points, one metric", timed(lambda: store.window(one(), *window), 100)),
        (f"last of {args.devices} devices", timed(lambda: store.last(everyone))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--full", type=int, default=300)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "t.db"
        table = without_seals()
        with closing(SqliteTelemetry(path)) as store:
            table += fill(store, args)
            gc.collect()
            table += size(store, path, args.hours) + read(store, args)
        began = time.perf_counter()
        with closing(SqliteTelemetry(path)):
            table.append(("open again", f"{(time.perf_counter() - began) * 1e3:.0f} ms"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.append(("most memory", f"{peak:.0f} MB"))
    for what, figure in table:
        print(f"{what:58} {figure}")


if __name__ == "__main__":
    main()

"""What reading from InfluxDB costs: 30 days of one device in 500 points, a day, the newest values.

    python -m benchmarks.influx                    # on influxd2
    python -m benchmarks.influx --server influxd   # InfluxDB 1.x

One device said 12 metrics every 10 s for 30 days; a hundred others an hour of the same.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.outage import real
from benchmarks.storage import DAY, HOUR, T0, batch, timed
from equipment.reading import Batch
from fieldcare.logs import set_up
from fieldcare.settings import load
from fieldcare.wiring import influx_server, set_up_telemetry
from storage.influx import InfluxTelemetry
from storage.influx_reader import InfluxReader
from storage.register import Standing

LONG, DAYS = "CHEM-LONG", 30
START = T0 - DAYS * DAY


def day_of_one(start: int, rng: np.random.Generator) -> Batch:
    at = np.arange(start - T0, start - T0 + DAY, 10_000)
    (one,) = batch(np.zeros(len(at), np.int64), at, rng).blocks
    return Batch([replace(one, devices=[LONG] * len(at))])


def until(done: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not done():
        time.sleep(0.05)
    return time.monotonic() - began


def measured(kind: str, folder: Path) -> list[tuple[str, str]]:
    (folder / "server").mkdir()
    with real(kind, folder / "server") as server:
        settings = load(data=folder / "data", telemetry=server.setting)
        set_up_telemetry(settings)
        there, register = influx_server(settings.telemetry), lambda _device: Standing("CHEM", "S1")
        rng = np.random.default_rng(1)
        with closing(InfluxTelemetry(there, folder / "spool", register, roll_every_s=1)) as store:
            for day in range(DAYS):
                store.append(day_of_one(START + day * DAY, rng))
            for at in range(0, HOUR, 10_000):
                store.append(batch(np.arange(100), np.full(100, at), rng))
            sent = until(lambda: not store.backlog().batches)
            rolled = until(lambda: not store.to_roll_up)
        with closing(InfluxReader(there, register)) as reader:
            return [
                ("rows sent", f"{(DAYS * DAY + 100 * HOUR) // 10_000 / sent:,.0f} rows/s"),
                ("hours rolled up in", f"{rolled:.0f} s for {DAYS * 24} and {2 * 100} hours"),
                *table(reader),
            ]


def table(reader: InfluxReader) -> list[tuple[str, str]]:
    long = ["wash_vacuum"], START, T0, 500
    day = ["wash_vacuum"], T0 - DAY, T0, 500
    everyone = [f"CHEM-{n:05d}" for n in range(100)]
    return [
        ("window, 30 d to 500 points, one metric", timed(lambda: reader.window(LONG, *long))),
        ("window, 24 h to 500 points, one metric", timed(lambda: reader.window(LONG, *day))),
        ("raw, 24 h, one metric", timed(lambda: reader.raw(LONG, T0 - DAY, T0, ["wash_vacuum"]))),
        ("raw, 24 h, 12 metrics", timed(lambda: reader.raw(LONG, T0 - DAY, T0))),
        ("last of 100 devices", timed(lambda: reader.last(everyone))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--server", choices=("influxd2", "influxd"), default="influxd2")
    args = parser.parse_args()
    set_up(quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        for what, figure in measured(args.server, Path(folder)):
            print(f"{what:45} {figure}")


if __name__ == "__main__":
    main()

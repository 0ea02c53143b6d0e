"""InfluxDB is away for an hour of messages: memory, loss, how fast the spool empties afterwards.

    python -m benchmarks.outage                       # 1,000,000 messages on influxd2
    python -m benchmarks.outage --messages 7200000    # an hour at 2,000 a second
    python -m benchmarks.outage --server influxd      # InfluxDB 1.x

Messages of 12 metrics of 2,000 devices go through decode, spool and rules, ``--feed`` a second;
twenty devices fall ill when the server is stopped. Then it is started again, and messages go on
coming at ``--live`` a second until nothing waits. The server runs on the same machine.
"""

import argparse
import contextlib
import gc
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.storage import SIGNALS
from desk.arrival import Arrival
from desk.ingest import Ingest
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.logs import set_up
from fieldcare.settings import Settings, load
from fieldcare.wiring import (
    Collecting,
    Stores,
    desk_of,
    influx_server,
    open_stores,
    set_up_telemetry,
)
from health.alarm import Alarm
from storage.influx_link import Link
from tests import influx2_server
from tests import influx_server as influx1_server

DEVICES, ILL, BODIES = 2000, 20, 64
AT_ONCE = 1000
WARM = 250_000
HEALTHY = [(name, nominal, noise) for name, nominal, noise, *_ in SIGNALS]


class Real(NamedTuple):
    """A real server that can be stopped and started, and the setting that names it."""

    server: influx1_server.InfluxServer | influx2_server.Influx2Server
    setting: str

    def cpu_s(self) -> float:
        """Return the seconds of CPU that the server used since it was started."""
        assert self.server._process is not None
        stat = Path(f"/proc/{self.server._process.pid}/stat").read_text()
        user, system = stat.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def start(self) -> None:
        if isinstance(self.server, influx2_server.Influx2Server):
            self.server.start(shutil.which("influxd2") or "influxd2")
        else:
            self.server.start()


@contextlib.contextmanager
def real(kind: str, folder: Path) -> Iterator[Real]:
    if kind == "influxd2":
        with influx2_server.running(folder) as two:
            token, org = influx2_server.TOKEN, influx2_server.ORG
            url = two.url.replace("http://", f"influx://token:{token}@")
            yield Real(two, f"{url}/fc?org={org}")
    else:
        with influx1_server.running(folder) as one:
            yield Real(one, one.url.replace("http://", "influx://") + "/fc")


def bodies(ill: bool) -> list[bytes]:
    """What devices measure: as healthy ones do, or with a vacuum that is gone."""
    rng = np.random.default_rng(int(ill))
    rows = []
    for _ in range(BODIES):
        values = {name: nominal + noise * rng.standard_normal() for name, nominal, noise in HEALTHY}
        if ill:
            values["wash_vacuum"] = -40.0
        text = ",".join(f'"{name}":{value:.2f}' for name, value in values.items())
        rows.append(b"{%s}" % text.encode())
    return rows


class Fleet:
    """Says one message of every device each second of event time."""

    def __init__(self) -> None:
        self.said = 0
        self.ill = False
        self._began_ms = int(time.time() * 1000) - 6 * 3_600_000
        self._well, self._unwell = bodies(False), bodies(True)
        self._names = [f"CHEM-{n:05d}" for n in range(DEVICES)]
        self._topics = [f"fc/v1/S1/{name}/tele" for name in self._names]

    def say(self, n: int) -> list[Arrival]:
        arrivals = []
        for _ in range(n):
            second, device = divmod(self.said, DEVICES)
            known = self._unwell if self.ill and device < ILL else self._well
            body = known[(second + device) % BODIES]
            at_ms = self._began_ms + second * 1000 + device // 2
            payload = b'{"b":"b1","s":%d,"t":%d,"m":%s}' % (second + 1, at_ms, body)
            arrivals.append(Arrival(self._names[device], self._topics[device], payload))
            self.said += 1
        return arrivals


class Run:
    """What is measured while messages go through decode, spool and rules."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.alarms: list[Alarm] = []
        collecting = Collecting(settings, desk_of(settings, stores, wall_clock))
        self.ingest: Ingest = collecting.ingest
        self.ingest._on_alarms = self.alarms.extend
        self.ingest.resume()
        self.telemetry, self.fleet = stores.telemetry, Fleet()

    def feed(self, rate: float, *, messages: int = sys.maxsize, until_empty: bool = False) -> "Fed":
        """Feed at ``rate`` a second, so many messages or until nothing waits in the spool."""
        began, first = time.monotonic(), self.fleet.said
        took, looked_at = [], began
        while (done := self.fleet.said - first) < messages:
            due = int((time.monotonic() - began) * rate) - done
            if due < min(100, rate / 20):
                time.sleep(0.005)
                continue
            start = time.monotonic()
            arrivals = self.fleet.say(min(due, AT_ONCE, messages - done))
            spoke = time.monotonic()
            self.ingest.act(self.ingest.keep(arrivals))
            took.append((time.monotonic() - spoke) * 1e3)
            if start - looked_at > 0.5:
                looked_at = start
                if until_empty and self.telemetry.backlog().batches <= 10:
                    break
        return Fed(self.fleet.said - first, time.monotonic() - began, took, most_mb())


class Fed(NamedTuple):
    messages: int
    seconds: float
    took_ms: list[float]
    most_rss: float

    def told(self) -> str:
        p50, p99 = np.percentile(self.took_ms, (50, 99))
        rate = self.messages / self.seconds
        return f"{rate:,.0f} messages/s; a commit with rules p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def most_mb() -> float:
    """Return the most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def record(stores: Stores) -> None:
    with stores.records.begin() as work:
        work.shelf(Site).put(Site("S1", "C1", Words("医院", "hospital"), 30.6, 104.1))
        for n in range(DEVICES):
            work.shelf(Device).put(Device(f"CHEM-{n:05d}", "S1", "CHEM", f"serial {n}"))


def count(settings: Settings) -> int:
    """Return how many readings of one metric the server has."""
    with contextlib.closing(Link(influx_server(settings.telemetry))) as link:
        answers = link.ask('SELECT count("wash_vacuum") FROM "CHEM"')
    return int(answers[0].values[0][1] or 0) if answers else 0


def measured(args: argparse.Namespace, settings: Settings, server: Real) -> list[tuple[str, str]]:
    set_up_telemetry(settings)
    with contextlib.closing(open_stores(settings)) as stores:
        record(stores)
        run = Run(settings, stores)
        run.feed(args.feed, messages=WARM)  # with two checkpoints of the rules: they take most
        before = run.feed(args.live, messages=args.live * args.warm_s)
        wait_until_sent(run)
        gc.collect()
        rss = most_mb()
        server.server.stop()
        run.fleet.ill = True
        away = run.feed(args.feed, messages=args.messages)
        backlog, fell_ill = run.telemetry.backlog(), {alarm.device for alarm in run.alarms}
        server.start()
        cpu = server.cpu_s(), time.process_time()
        catch_up = run.feed(args.live, until_empty=True)
        server_cpu, own_cpu = server.cpu_s() - cpu[0], time.process_time() - cpu[1]
        wait_until_sent(run)
        newest = run.telemetry.last(["CHEM-00000"])
    rate = (args.messages + catch_up.messages) / catch_up.seconds
    sent, there = run.fleet.said, count(settings)
    return [
        ("while the server was there", before.told()),
        ("while it was away", away.told()),
        ("devices that fell ill then, with an alarm then", f"{ILL}, {len(fell_ill)}"),
        ("in the spool", f"{backlog.batches:,} batches, {backlog.bytes / 1e6:,.0f} MB"),
        ("bytes a message in the spool", f"{backlog.bytes / args.messages:.0f}"),
        ("most memory before, away, catching up",
         f"{rss:.0f}, {away.most_rss:.0f}, {catch_up.most_rss:.0f} MB"),
        ("growth while away", f"{away.most_rss - rss:.0f} MB"),
        ("while the spool emptied", catch_up.told()),
        ("it emptied in", f"{catch_up.seconds:.0f} s"),
        ("rows to the server meanwhile", f"{rate:,.0f} rows/s, {rate / args.live:.1f} x live"),
        ("CPU meanwhile, server and this process",
         f"{server_cpu / catch_up.seconds:.2f}, {own_cpu / catch_up.seconds:.2f} cores"),
        ("CPU a row of the server", f"{server_cpu / rate / catch_up.seconds * 1e6:.1f} us"),
        ("load of the machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"),
        ("said, on the server", f"{sent:,}, {there:,}; {sent - there:,} lost"),
        ("newest of one device known", str(len(newest.get("CHEM-00000", {})))),
    ]  # fmt: skip


def wait_until_sent(run: Run) -> None:
    until = time.monotonic() + 60
    while run.telemetry.backlog().batches and time.monotonic() < until:
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--feed", type=int, default=20_000)
    parser.add_argument("--live", type=int, default=2_000)
    parser.add_argument("--warm-s", type=int, default=20)
    parser.add_argument("--server", choices=("influxd2", "influxd"), default="influxd2")
    args = parser.parse_args()
    set_up(quiet=True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "server").mkdir()
        with real(args.server, folder / "server") as server:
            settings = load(data=folder / "data", telemetry=server.setting)
            for what, figure in measured(args, settings, server):
                print(f"{what:52} {figure}")


if __name__ == "__main__":
    main()

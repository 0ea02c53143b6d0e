"""Nothing lost, nothing twice, nothing out of order, whatever is killed.

Devices that send again (``benchmarks.resending``) publish to a real mosquitto with the shipped
configuration, ``Collecting`` takes from it, a real InfluxDB keeps. Collector, broker and store are
killed with signal 9 at seeded places of the stream and started again; between the kills the line
to the store is slow, cut, refusing or answering garbage. Then every reading is asked for.

python -m benchmarks.faults [--messages 1000000] [--kills 21] [--moods 8] [--seed 11]
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.moody import MOODS, MoodyLine
from benchmarks.resending import STEP_MS, counts, name
from equipment.device import Device, Site
from equipment.reading import Batch
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.settings import Settings, load
from fieldcare.wiring import Collecting, desk_of, influx_server, open_stores
from storage.influx_reader import InfluxReader
from storage.interface import Telemetry
from storage.records_sql import SqlRecords
from storage.register import Standing
from tests import influx2_server
from tests import influx_server as influx1_server
from tests.servers import Mosquitto, mosquitto

PASSWORD = "sends-again"
PATIENCE_S = 300.0
DOWN_S = (0.1, 2.0)  # how long what was killed stays away
MOOD_S = (1.0, 4.0)
VICTIMS = ("collector", "broker", "store")


class Story(NamedTuple):
    """What happens. Places of faults and lengths of absences come from ``seed``."""

    messages: int = 1_000_000
    devices: int = 40
    rate: float = 8000.0
    kills: int = 21
    moods: int = 8
    seed: int = 11


class Findings(NamedTuple):
    """What became of the messages."""

    faults: Mapping[str, int]
    messages: int
    again: int
    missing: int
    duplicated: int
    inverted: int
    seconds: float
    drained_s: float


# -- the collector, in a process of its own


class Witness:
    """Writes down which messages were stored, in which order, and passes everything on."""

    def __init__(self, store: Telemetry, file: Path) -> None:
        self._store = store
        self._file = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        told = max((json.loads(line)["id"] for line in file.read_text().splitlines()), default=0)
        for batch in store.batches(told):
            self._tell(batch, batch.id)

    def append(self, batch: Batch) -> int:
        id = self._store.append(batch)
        self._tell(batch, id)
        return id

    def _tell(self, batch: Batch, id: int) -> None:
        rows = [
            (device, int(seq))
            for block in batch.blocks
            for device, seq in zip(block.devices, block.seqs, strict=True)
        ]
        os.write(self._file, json.dumps({"id": id, "rows": rows}).encode() + b"\n")

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._store, verb)


def collect(folder: str) -> None:
    """Run the collector on ``folder`` until it is killed; settings come from the environment."""
    conf = load(data=Path(folder))
    stores = open_stores(conf)
    witness: Any = Witness(stores.telemetry, Path(folder) / "stored.jsonl")
    collecting = Collecting(
        conf, desk_of(conf, dataclasses.replace(stores, telemetry=witness), wall_clock)
    )
    collecting.start()
    print("collecting", flush=True)
    signal.pause()


def register(conf: Settings, devices: int) -> None:
    """Put the devices on record."""
    records = SqlRecords(conf.records_url)
    with records.begin() as work:
        work.shelf(Site).put(Site("H1", "C1", Words("医院", "hospital"), 30.6, 104.1))
        for n in range(devices):
            work.shelf(Device).put(Device(name(n), "H1", "CHEM", name(n)))
    records.close()


class Collector:
    """The collector's process: started, killed, started again."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "benchmarks.faults", "--collect", str(folder)]
        self._environment = {**os.environ, **environment}
        self._log = folder / "collector.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), (
            f"the collector ended: {self._log.read_text()[-2000:]}"
        )

    def kill(self) -> None:
        if self._process is not None:
            assert self._process.poll() is None, "the collector ended by itself"
            assert self._process.stdout is not None
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


# -- the store, whichever is here


@contextlib.contextmanager
def store(folder: Path) -> Iterator[tuple[Any, str]]:
    """Run an InfluxDB 2, or else 1.x; yield it and the rest of its setting after the port."""
    if influx2_server.here():
        with influx2_server.running(folder) as server:
            server.add_bucket("fieldcare")
            yield (
                server,
                f"influx://token:{influx2_server.TOKEN}@%s/fieldcare?org={influx2_server.ORG}",
            )
    else:
        with influx1_server.running(folder) as old:
            old.ask("CREATE DATABASE fieldcare")
            yield old, "influx://%s/fieldcare"


# -- what happens


class Fleet:
    """The devices' process; ``acked`` grows as it goes."""

    def __init__(self, story: Story, port: int, start_ms: int, password: str = PASSWORD) -> None:
        options = {
            "port": port, "messages": story.messages, "devices": story.devices,
            "rate": story.rate, "start-ms": start_ms, "password": password,
        }  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.resending"]
        command += [f"--{option}={value}" for option, value in options.items()]
        self.acked = self.again = 0
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.acked, self.again = map(int, line.split())

    def wait(self, acked: int | None = None) -> None:
        """Return when ``acked`` messages are acknowledged, all of them for None."""
        last, since = -1, time.monotonic()
        while self._process.poll() is None and (acked is None or self.acked < acked):
            if self.acked != last:
                last, since = self.acked, time.monotonic()
            assert time.monotonic() - since < PATIENCE_S, f"nothing is acknowledged after {last}"
            time.sleep(0.05)
        if acked is None:
            assert self._process.wait() == 0, "the fleet failed"
            self._thread.join()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _faults(story: Story, chance: random.Random) -> list[str]:
    """Return every fault in the order of its coming: each victim equally often."""
    found = [VICTIMS[n % len(VICTIMS)] for n in range(story.kills)]
    found += [MOODS[n % len(MOODS)] for n in range(story.moods)]
    chance.shuffle(found)
    return found


def _suffer(
    story: Story, fleet: Fleet, line: MoodyLine, victims: Mapping[str, Any], told: Any
) -> Counter[str]:
    chance = random.Random(story.seed)
    faults = _faults(story, chance)
    for place, fault in enumerate(faults):
        at = (place + chance.uniform(0.2, 0.9)) / (len(faults) + 1) * story.messages
        fleet.wait(int(at))
        if fault in MOODS:
            line.mood = fault
            time.sleep(chance.uniform(*MOOD_S))
            line.mood = ""
        else:
            victims[fault].kill()
            time.sleep(chance.uniform(*DOWN_S))
            victims[fault].start()
        told(f"{fleet.acked:>9,} acknowledged: {fault}")
    return Counter(faults)


class _Store2:
    """An InfluxDB 2 under the names of the others."""

    def __init__(self, server: Any) -> None:
        self.kill, self.start = server.kill, server.start_again


class _Store1:
    """An InfluxDB 1.x under the names of the others."""

    def __init__(self, server: Any) -> None:
        self.start = server.start
        self.kill = lambda: server.stop(kill=True)


def run(folder: Path, story: Story, told: Any = lambda _text: None) -> Findings:
    """Let ``story`` happen in ``folder``, and count."""
    users = {name(n): PASSWORD for n in range(story.devices)}
    span_ms = max(counts(story.messages, story.devices)) * STEP_MS
    start_ms = int((wall_clock() - timedelta(days=1)).timestamp() * 1000) - span_ms
    for part in ("broker", "store", "data"):
        (folder / part).mkdir()
    with contextlib.ExitStack() as stack:
        broker: Mosquitto = stack.enter_context(
            mosquitto(folder / "broker", fieldcare="collects", **users)
        )
        server, setting = stack.enter_context(store(folder / "store"))
        victim = (
            _Store2(server) if isinstance(server, influx2_server.Influx2Server) else _Store1(server)
        )
        line = MoodyLine(int(server.url.rsplit(":", 1)[1]), story.seed)
        line.start()
        stack.callback(line.stop)
        settings = {
            "FIELDCARE_BROKER": broker.url("fieldcare"),
            "FIELDCARE_TELEMETRY": setting % f"127.0.0.1:{line.port}",
        }
        register(load(data=folder / "data"), story.devices)
        collector = Collector(folder / "data", settings)
        collector.start()
        stack.callback(collector.kill)
        time.sleep(2.5)  # the broker has written down that somebody listens
        began = time.monotonic()
        fleet = Fleet(story, broker.port, start_ms)
        stack.callback(fleet.stop)
        victims = {"collector": collector, "broker": broker, "store": victim}
        faults = _suffer(story, fleet, line, victims, told)
        fleet.wait()
        sent = time.monotonic()
        found = _stored(settings["FIELDCARE_TELEMETRY"], story, start_ms)
        drained = time.monotonic()
        inverted = _inversions(folder / "data" / "stored.jsonl")
    return Findings(
        faults, story.messages, fleet.again, *found, inverted, sent - began, drained - sent
    )


def _stored(setting: str, story: Story, start_ms: int) -> tuple[int, int]:
    """Return how many messages are missing, and how many are there twice, when it is quiet."""
    devices = [name(n) for n in range(story.devices)]
    reader = InfluxReader(influx_server(setting), lambda _device: Standing("CHEM", "H1"))
    expected = dict(zip(devices, counts(story.messages, story.devices), strict=True))
    until = time.monotonic() + PATIENCE_S
    missing = story.messages
    while True:
        numbers = {d: _numbers(reader, d, start_ms) for d in devices}
        left = sum(expected[d] - len(set(numbers[d])) for d in devices)
        if left == 0 or (left == missing and time.monotonic() > until):
            break
        if left != missing:
            missing, until = left, time.monotonic() + 30
        time.sleep(1)
    reader.close()
    return left, sum(len(found) - len(set(found)) for found in numbers.values())


def _numbers(reader: InfluxReader, device: str, start_ms: int) -> list[int]:
    found = reader.raw(device, start_ms, 1 << 42, ["wash_vacuum"]).get("wash_vacuum")
    return [] if found is None else ((found.at_ms - start_ms) // STEP_MS).tolist()


def _inversions(file: Path) -> int:
    """Return how many messages were stored after a later one of the same device."""
    newest: dict[str, int] = {}
    found, seen = 0, set()
    for line in file.read_text().splitlines():
        batch = json.loads(line)
        if batch["id"] in seen:
            continue
        seen.add(batch["id"])
        for device, seq in batch["rows"]:
            found += seq < newest.get(device, -1)
            newest[device] = max(seq, newest.get(device, -1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for field, kind in Story.__annotations__.items():
        parser.add_argument(f"--{field}", type=kind, default=Story._field_defaults[field])
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary one if empty")
    story = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(dir=story.pop("folder")) as folder:
        found = run(Path(folder), Story(**story), lambda text: print(text, flush=True))
    kills = ", ".join(f"{found.faults[v]} x {v}" for v in VICTIMS)
    moods = ", ".join(f"{found.faults[m]} x {m}" for m in MOODS if found.faults[m])
    rows = {
        "killed with signal 9": kills,
        "line to the store": moods,
        "messages": f"{found.messages:,}",
        "sent again": f"{found.again:,}",
        "missing": found.missing,
        "stored twice": found.duplicated,
        "stored after a later one of the device": found.inverted,
        "sending, with all faults": f"{found.seconds:.0f} s",
        "all in the store after": f"{found.drained_s:.0f} s more",
    }
    for what, figure in rows.items():
        print(f"{what:40} {figure}")
    if found.missing or found.duplicated or found.inverted:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--collect"]:
        collect(sys.argv[2])
    else:
        main()

"""Two collectors share the sites of one broker: each device is heard and judged by one of them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from aftersales.access import Role
from aftersales.machine import By
from aftersales.ticket import Ticket
from collector.shard import Shard
from desk.register import add_device
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import open_stores
from health.alarm import Alarm
from storage.interface import Records
from storage.records_sql import SqlRecords
from tests.influx_server import running
from tests.postgres_server import postgres
from tests.servers import Mosquitto, mosquitto, program, stop

WITHIN_S = 60.0
SITES = {n: next(s for s in (f"S{i:03d}" for i in range(99)) if Shard(n, 2).has(s)) for n in (1, 2)}
DEVICES = {n: f"CHEM-{n}" for n in (1, 2)}
NEW_SITE, NEW_DEVICE = next(f"N{i}" for i in range(99) if Shard(1, 2).has(f"N{i}")), "CHEM-3"


@contextmanager
def collector(number: int, folder: Path, settings: dict[str, str]) -> Iterator[Path]:
    """Run shard ``number`` of 2 until the block ends; give its log."""
    own = {"FIELDCARE_DATA": str(folder / f"shard{number}"), "FIELDCARE_SHARD": f"{number}/2"}
    path = folder / f"shard{number}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fieldcare", "collect"],
            env={**os.environ, **settings, **own},
            stderr=log,
        )
        try:
            until(lambda: "connected to the broker" in path.read_text())
            yield path
            assert process.poll() is None, path.read_text()
        finally:
            stop(process)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def put_on_record(records: Records) -> None:
    with records.begin() as work:
        for number, site in SITES.items():
            work.shelf(Site).put(Site(site, "C001", Words("医院", "hospital"), 30.66, 104.07))
            work.shelf(Device).put(Device(DEVICES[number], site, "CHEM", DEVICES[number]))


def add_at_a_new_site(records: Records) -> None:
    site = Site(NEW_SITE, "C001", Words("医院", "hospital"), 30.66, 104.07)
    device = Device(NEW_DEVICE, NEW_SITE, "CHEM", NEW_DEVICE)
    add_device(records, device, site, By("dv", Role.DV, wall_clock()))


def publish(broker: Mosquitto, device: str, site: str) -> None:
    """Publish half an hour of a vacuum that is too weak all the time."""
    start = wall_clock() - timedelta(minutes=30)
    start_ms = int(start.timestamp() * 1000)
    lines = "".join(
        json.dumps({"b": "b", "s": n, "t": start_ms + n * 60_000, "m": {"wash_vacuum": -50.0}})
        + "\n"
        for n in range(30)
    )
    command = [program("mosquitto_pub"), "-p", str(broker.port), "-u", device, "-P", "secret"]
    command += ["-q", "1", "-t", f"fc/v1/{site}/{device}/tele", "-l"]
    subprocess.run(command, input=lines, text=True, check=True, timeout=30)


def raised(records: Records) -> set[str]:
    """Return the devices with an alarm that is not over."""
    with records.read() as work:
        return {alarm.device for alarm in work.shelf(Alarm).find(cleared_at=None)}


def heard(number: int, folder: Path, settings: dict[str, str]) -> set[str]:
    """Return the devices in the ledger that collector ``number`` kept."""
    given = {name.removeprefix("FIELDCARE_").lower(): value for name, value in settings.items()}
    stores = open_stores(load(data=folder / f"shard{number}", **given))
    try:
        kept = stores.telemetry.checkpoint()
        assert kept is not None
        tallies = msgspec.msgpack.decode(kept.state)["intake"]["tallies"]
        return {device for device, tally in tallies.items() if tally[0]}
    finally:
        stores.close()


@pytest.mark.mosquitto
@pytest.mark.postgres
@pytest.mark.influx
def test_two_collectors_share_the_sites_and_leave_each_others_alarms_alone(tmp_path: Path) -> None:
    for folder in ("pg", "mq", "in"):
        (tmp_path / folder).mkdir()
    users = {"fieldcare": "collects"} | dict.fromkeys((*DEVICES.values(), NEW_DEVICE), "secret")
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(tmp_path / "mq", **users))
        url = stack.enter_context(postgres(tmp_path / "pg"))
        influx = stack.enter_context(running(tmp_path / "in"))
        influx.ask("CREATE DATABASE fieldcare")
        records = SqlRecords(url)
        stack.callback(records.close)
        put_on_record(records)
        settings = {
            "FIELDCARE_BROKER": broker.url("fieldcare"),
            "FIELDCARE_TELEMETRY": influx.url.replace("http://", "influx://u:p@") + "/fieldcare",
            "FIELDCARE_RECORDS": url,
        }
        with collector(2, tmp_path, settings):
            with collector(1, tmp_path, settings):
                for number, device in DEVICES.items():
                    publish(broker, device, SITES[number])
                until(lambda: raised(records) == set(DEVICES.values()))
            with collector(1, tmp_path, settings):
                assert raised(records) == set(DEVICES.values())
                add_at_a_new_site(records)
                until(
                    lambda: publish(broker, NEW_DEVICE, NEW_SITE) or NEW_DEVICE in raised(records)
                )
        assert [heard(n, tmp_path, settings) for n in (1, 2)] == [
            {DEVICES[1], NEW_DEVICE},
            {DEVICES[2]},
        ]
        with records.read() as work:
            tickets = work.shelf(Ticket).find()
    assert sorted(t.number for t in tickets) == ["T-000001", "T-000002", "T-000003"]

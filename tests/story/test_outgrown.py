"""Grown out of one process: the commands of docker-compose.yml, on real engines."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from aftersales.team import Certificate, Duty, Technician
from aftersales.user import User
from desk.signing import hashed
from equipment.device import Device, Site
from equipment.words import Words
from storage.records_sql import SqlRecords
from tests import influx2_server
from tests.influx_server import running
from tests.postgres_server import postgres
from tests.servers import free_port, mosquitto, program, stop

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS = ("collector", "planner", "api")
WITHIN_S = 60


@contextmanager
def part(name: str, folder: Path, settings: dict[str, str]) -> Iterator[None]:
    """Run the part with the command that docker-compose.yml gives it."""
    command = [sys.executable, "-m", "fieldcare", *COMPOSE["services"][name]["command"]]
    own = {**settings, "FIELDCARE_DATA": str(folder / name)}
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, **own}, stderr=log, cwd=ROOT)
        try:
            yield
            assert process.poll() is None, (folder / f"{name}.log").read_text()
        finally:
            stop(process)


def migrate(settings: dict[str, str]) -> None:
    command = [sys.executable, "-m", "fieldcare", *COMPOSE["services"]["migrate"]["command"]]
    subprocess.run(command, env={**os.environ, **settings}, cwd=ROOT, check=True, timeout=60)


def put_on_record(records: SqlRecords, now: datetime) -> None:
    with records.begin() as work:
        work.shelf(Site).put(Site("S001", "C001", Words("医院", "hospital"), 30.66, 104.07))
        work.shelf(Device).put(Device("CHEM-001", "S001", "CHEM", "C1"))
        work.shelf(User).put(User("di", Words("调", "di"), "DI", hashed("long enough")))
        certificate = Certificate("chemistry", date(2024, 1, 1), date(2039, 1, 1))
        duty = Duty(now - timedelta(hours=1), now + timedelta(hours=12))
        who = Technician("E01", Words("甲", "A"), 30.6, 104.0, (certificate,), (duty,))
        work.shelf(Technician).put(who)


def publish(port: int, messages: list[dict[str, Any]]) -> None:
    command = [program("mosquitto_pub"), "-p", str(port), "-u", "CHEM-001", "-P", "secret"]
    command += ["-q", "1", "-t", "fc/v1/S001/CHEM-001/tele", "-l"]
    lines = "".join(json.dumps(one) + "\n" for one in messages)
    subprocess.run(command, input=lines, text=True, check=True, timeout=30)


@contextmanager
def influx_1(folder: Path) -> Iterator[str]:
    """Give the telemetry setting of an InfluxDB 1.x."""
    with running(folder) as influx:
        yield influx.url.replace("http://", "influx://u:p@") + "/fieldcare"


@contextmanager
def influx_2(folder: Path) -> Iterator[str]:
    """Give the telemetry setting of an InfluxDB 2."""
    with influx2_server.running(folder) as influx:
        token, org = influx2_server.TOKEN, influx2_server.ORG
        yield influx.url.replace("http://", f"influx://token:{token}@") + f"/fieldcare?org={org}"


@pytest.mark.mosquitto
@pytest.mark.postgres
@pytest.mark.parametrize(
    "telemetry",
    [
        pytest.param(influx_1, marks=pytest.mark.influx),
        pytest.param(influx_2, marks=pytest.mark.influx2),
    ],
)
def test_collector_planner_and_api_share_the_work(
    telemetry: Callable[[Path], AbstractContextManager[str]], tmp_path: Path
) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the processes under test read the real clock
    for folder in ("pg", "mq", "in"):
        (tmp_path / folder).mkdir()
    users = {"fieldcare": "collects", "CHEM-001": "secret"}
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(tmp_path / "mq", **users))
        url = stack.enter_context(postgres(tmp_path / "pg"))
        records = SqlRecords(url)
        stack.callback(records.close)
        put_on_record(records, now)
        settings = {
            "FIELDCARE_BROKER": broker.url("fieldcare"),
            "FIELDCARE_TELEMETRY": stack.enter_context(telemetry(tmp_path / "in")),
            "FIELDCARE_RECORDS": url,
            "FIELDCARE_HTTP_PORT": str(free_port()),
            "FIELDCARE_DATA": str(tmp_path / "migrate"),
        }
        migrate(settings)
        for name in PARTS:
            stack.enter_context(part(name, tmp_path, settings))
        until_logged(tmp_path / "collector.log", "connected to the broker")
        first = int((now - timedelta(hours=3)).timestamp() * 1000)
        readings = [
            {"b": "b1", "s": n, "t": first + n * 60_000, "m": {"wash_vacuum": -50.0}}
            for n in range(180)
        ]
        publish(broker.port, readings)
        seen = until_planned(f"http://127.0.0.1:{settings['FIELDCARE_HTTP_PORT']}")
    assert seen["ticket"]["device"] == "CHEM-001"
    assert seen["plan"]["routes"][0]["technician"] == "E01"
    assert seen["device"]["metrics"]


def until_logged(log: Path, what: str) -> None:
    """Return once ``what`` is in the log: before, the broker has no session to keep things for."""
    deadline = time.monotonic() + WITHIN_S
    while what not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def until_planned(base: str) -> dict[str, Any]:
    """Return ticket, plan and device as the API shows them once somebody is sent."""
    deadline = time.monotonic() + WITHIN_S
    with httpx.Client(base_url=base, timeout=10) as client:
        while time.monotonic() < deadline:
            try:
                asked = {"login": "di", "password": "long enough"}
                client.post("/api/v1/session", json=asked).raise_for_status()
                plan = client.get("/api/v1/plan").raise_for_status().json()
                if plan["routes"]:
                    ticket = client.get("/api/v1/tickets").json()["items"][0]
                    device = client.get("/api/v1/devices/CHEM-001").raise_for_status().json()
                    device["metrics"] = [m for m in device["metrics"] if m["value"] is not None]
                    return {"ticket": ticket, "plan": plan, "device": device}
            except httpx.TransportError:
                pass
            time.sleep(0.5)
    pytest.fail(f"nobody was sent within {WITHIN_S} s")


def test_compose_starts_every_part_by_a_command_that_exists() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "fieldcare", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("migrate", *PARTS):
        assert f" {COMPOSE['services'][name]['command'][0]} " in listed


def test_compose_itself_accepts_the_file() -> None:
    asked = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if (any((Path(p) / "docker").exists() for p in os.environ["PATH"].split(":")))
        else None
    )
    if asked is None or asked.returncode != 0:
        pytest.skip("docker compose is not installed")
    names = ("POSTGRES_PASSWORD", "INFLUX_PASSWORD", "INFLUX_TOKEN", "MQTT_PASSWORD")
    secrets = {f"FIELDCARE_{name}": "x" for name in names}
    subprocess.run(
        ["docker", "compose", "-f", ROOT / "docker-compose.yml", "config", "-q"],
        env={**os.environ, **secrets},
        check=True,
    )

"""What mosquitto_pub publishes as a device would becomes a reading, an alarm, a ticket, a plan."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aftersales.team import Certificate, Duty, Technician
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from desk.register import issue
from equipment.quarantine import Quarantined
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.running import running
from fieldcare.settings import Settings, load
from fieldcare.wiring import Collecting, Stores, desk_of, open_stores, planner
from health.alarm import Alarm
from scheduler.published import Published
from tests import given
from tests.given import BY
from tests.servers import mosquitto, program

pytestmark = pytest.mark.mosquitto
PATIENCE_S = 30.0
TOPIC = "fc/v1/S001/CHEM-001/tele"
MINUTE = timedelta(minutes=1)


def until(true: Callable[[], object]) -> None:
    """Return as soon as something is true."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.05)


def technician(now: datetime) -> Technician:
    today = now.date()
    certificate = Certificate("chemistry", today - timedelta(days=1), today + timedelta(days=9))
    duty = Duty(now - 60 * MINUTE, now + 720 * MINUTE)
    return Technician("E1", Words("工程师甲", "Engineer A"), 30.6, 104.0, (certificate,), (duty,))


def breach(now: datetime) -> list[str]:
    """Return messages of the half hour until ``now``: a vacuum that is too weak all the time."""
    return [
        message(n, now - (30 - n) * MINUTE, wash_vacuum=-60.0 - n % 3 / 10, psu_24v=24.0)
        for n in range(31)
    ]


def message(seq: int, at: datetime, **metrics: float) -> str:
    return json.dumps({"b": "b1", "s": seq, "t": int(at.timestamp() * 1000), "m": metrics})


def publish(port: int, password: str, lines: list[str], *, topic: str = TOPIC) -> None:
    """Publish with QoS 1 and return when every message was acknowledged."""
    command = [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(port), "-V", "5"]
    command += ["-u", "CHEM-001", "-P", password, "-i", "CHEM-001", "-q", "1", "-t", topic, "-l"]
    text = "".join(f"{line}\n" for line in lines).encode()
    subprocess.run(command, input=text, check=True, timeout=PATIENCE_S, capture_output=True)


@contextmanager
def fieldcare(conf: Settings) -> Iterator[tuple[Stores, Collecting]]:
    """Run what ``fieldcare run`` runs, without the pages."""
    who = technician(wall_clock())
    with ExitStack() as stack:
        stores = open_stores(conf)
        stack.callback(stores.close)
        with stores.records.begin() as work:
            for one in (given.site(), given.device(), given.device("CHEM-002"), who):
                work.shelf(type(one)).put(one)
        desk = desk_of(conf, stores, wall_clock)
        collecting = Collecting(conf, desk)
        stack.enter_context(running([collecting, planner(conf, desk)]))
        yield stores, collecting


def assert_somebody_is_sent(stores: Stores, now: datetime) -> None:
    def visits() -> list[Visit]:
        with stores.records.read() as work:
            return list(work.shelf(Visit).find())

    until(visits)
    now_ms = int(now.timestamp() * 1000)
    kept = stores.telemetry.raw("CHEM-001", now_ms - 3_600_000, now_ms + 1)
    assert len(kept["wash_vacuum"].values) == len(kept["psu_24v"].values) == 31
    assert kept["wash_vacuum"].at_ms[-1] == now_ms
    with stores.records.read() as work:
        (alarm,), (ticket,) = work.shelf(Alarm).find(), work.shelf(Ticket).find()
        (published,) = work.shelf(Published).find(limit=1, newest_first=True)
    assert (alarm.device, alarm.rule) == ("CHEM-001", "wash_vacuum.warn")
    assert (ticket.device, ticket.component, ticket.state) == ("CHEM-001", "wash_station", "open")
    (visit,) = visits()
    assert (visit.ticket, visit.technician, visit.state) == (ticket.id, "E1", "offered")
    served = published.plan.stop(ticket.id)
    assert served is not None
    assert served[0] == "E1"


def test_from_a_real_broker_to_a_technician(tmp_path: Path) -> None:
    now = wall_clock().replace(microsecond=0)
    users = {"fieldcare": "collects", "CHEM-001": "one"}
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker", **users) as server:
        conf = load(data=tmp_path / "data", broker=server.url("fieldcare"), plan_limit_s=0.3)
        with fieldcare(conf) as (stores, _):
            publish(server.port, "one", breach(now))
            assert_somebody_is_sent(stores, now)


def test_what_is_published_while_we_are_away_is_kept_by_the_broker(tmp_path: Path) -> None:
    now = wall_clock().replace(microsecond=0)
    users = {"fieldcare": "collects", "CHEM-001": "one"}
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker", **users) as server:
        conf = load(data=tmp_path / "data", broker=server.url("fieldcare"), plan_limit_s=0.3)
        with fieldcare(conf) as (stores, _):
            publish(server.port, "one", breach(now)[:10])
            until(lambda: stores.telemetry.last(["CHEM-001"]))
        publish(server.port, "one", breach(now)[10:])
        with fieldcare(conf) as (stores, _):
            assert_somebody_is_sent(stores, now)


def test_from_our_own_endpoint_to_a_technician(tmp_path: Path) -> None:
    now = wall_clock().replace(microsecond=0)
    conf = load(data=tmp_path, mqtt_port=0, plan_limit_s=0.3)
    with fieldcare(conf) as (stores, collecting):
        password = issue(stores.records, "CHEM-001", BY)
        publish(collecting.port, password, breach(now))
        assert_somebody_is_sent(stores, now)


def test_what_a_device_gets_wrong_is_put_aside_and_disturbs_nothing(tmp_path: Path) -> None:
    now = wall_clock().replace(microsecond=0)
    conf = load(data=tmp_path, mqtt_port=0, plan_limit_s=0.3)
    with fieldcare(conf) as (stores, collecting):
        password = issue(stores.records, "CHEM-001", BY)
        publish(collecting.port, password, ["{", "[]", message(900, now + 9999 * MINUTE, x=1.0)])
        publish(collecting.port, password, [message(901, now, y=1.0)])
        publish(collecting.port, password, ["{}"], topic="fc/v1/S001/CHEM-002/tele")
        publish(collecting.port, password, breach(now))
        assert_somebody_is_sent(stores, now)
        with stores.records.read() as work:
            reasons = {one.reason for one in work.shelf(Quarantined).find()}
    assert reasons == {"malformed", "future_time", "unknown_metric", "foreign_topic"}


def test_who_has_a_wrong_password_is_not_let_in(tmp_path: Path) -> None:
    with fieldcare(load(data=tmp_path, mqtt_port=0)) as (stores, collecting):
        issue(stores.records, "CHEM-001", BY)
        with pytest.raises(subprocess.CalledProcessError):
            publish(collecting.port, "guessed", ["{}"])

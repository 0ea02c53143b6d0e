"""What one process puts on record, a collector in another process takes up within seconds."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from desk.arrival import Arrival
from desk.register import issue, revoke
from equipment.quarantine import Quarantined
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting
from tests import given
from tests.fieldcare.given_process import cli, office, take, until
from tests.given import BY

TOPIC = "fc/v1/S001/CHEM-001/tele"


def tele(seq: int, **metrics: float) -> bytes:
    now_ms = int(wall_clock().timestamp() * 1000)
    return json.dumps({"b": "b", "s": seq, "t": now_ms, "m": metrics}).encode()


def newest(desk: Any, device: str = "CHEM-001") -> dict[str, float]:
    last = desk.telemetry.last([device]).get(device, {})
    return {metric: value for metric, (_, value) in last.items()}


def speak(port: int, device: str, secret: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=device)
    client.username_pw_set(device, secret)
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(client.is_connected)
    return client


def say(client: Client, topic: str, payload: bytes) -> None:
    sent: MQTTMessageInfo = client.publish(topic, payload, 1)
    sent.wait_for_publish(30)


def test_a_replay_without_a_collector_is_done_by_the_command(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        take(desk, tmp_path, [Arrival(None, TOPIC, tele(n, temp1=37.0)) for n in range(3)])
        with desk.records.read() as work:
            assert len(work.shelf(Quarantined).find()) == 3
    code, said = cli(
        "quarantine", "map", "metric", "temp1", "nonsense", "--model", "CHEM", data=tmp_path
    )
    assert (code, "means: 'nonsense' is not in the catalogue of CHEM" in said) == (2, True)
    code, said = cli(
        "quarantine",
        "map",
        "metric",
        "temp1",
        "reaction_bath_temp",
        "--model",
        "CHEM",
        data=tmp_path,
    )
    assert code == 0, said
    id = said.split(":")[0]
    code, said = cli("quarantine", "mappings", data=tmp_path)
    assert (code, id in said) == (0, True)
    code, said = cli("quarantine", "replay", "--reason", "unknown_metric", data=tmp_path)
    assert (code, "3 stored, 0 duplicate, 0 still refused" in said) == (0, True), said
    with office(tmp_path) as desk:
        assert newest(desk) == {"reaction_bath_temp": 37.0}
    assert "nothing is in quarantine" in cli("quarantine", data=tmp_path)[1]
    code, said = cli("quarantine", "unmap", id, data=tmp_path)
    assert (code, "no longer" in said) == (0, True)
    code, said = cli("ledger", "CHEM-001", data=tmp_path)
    assert (code, " 3 " in said) == (0, True)


def test_a_running_collector_hears_of_devices_mappings_replays_and_credentials(
    tmp_path: Path,
) -> None:
    conf = load(data=tmp_path, mqtt_port=0)
    with office(tmp_path) as desk:
        collecting = Collecting(conf, desk)
        collecting.start()
        try:
            _tell_and_see(tmp_path, desk, collecting)
        finally:
            collecting.stop()


def _tell_and_see(folder: Path, desk: Any, collecting: Collecting) -> None:
    code, said = cli("device", "add", "CHEM-9", "--model", "CHEM", "--site", "S001", data=folder)
    assert code == 0, said
    secret = said.split("password ")[1].split()[0]
    until(lambda: "CHEM-9" in collecting.news.known)
    topic = TOPIC.replace("CHEM-001", "CHEM-9")
    client = speak(collecting.port, "CHEM-9", secret)
    say(client, topic, tele(1, temp1=36.0))
    assert newest(desk, "CHEM-9") == {}
    cli("quarantine", "map", "metric", "temp1", "cabinet_temp", "--device", "CHEM-9", data=folder)
    code, said = cli("quarantine", "replay", "--device", "CHEM-9", data=folder)
    assert (code, "1 stored" in said) == (0, True), said
    assert newest(desk, "CHEM-9") == {"cabinet_temp": 36.0}
    say(client, topic, tele(2, temp1=36.5))
    assert newest(desk, "CHEM-9") == {"cabinet_temp": 36.5}
    say(client, TOPIC, tele(1, wash_vacuum=-70.0))
    assert newest(desk) == {}  # a device cannot speak for another
    cli("device", "revoke", "CHEM-9", data=folder)
    until(lambda: not client.is_connected())
    client.loop_stop()


def test_a_gateway_that_is_revoked_or_let_in_anew_loses_what_it_has_open(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        collecting = Collecting(load(data=tmp_path, mqtt_port=0), desk)
        collecting.start()
        try:
            for command in ("add", "revoke"):
                _, said = cli("gateway", "add", "S001/GW-1", data=tmp_path)
                secret = said.split("password ")[1].split()[0]
                client = speak(collecting.port, "S001/GW-1", secret)
                say(client, TOPIC, tele(1, wash_vacuum=-70.0))
                assert newest(desk) == {"wash_vacuum": -70.0}
                assert cli("gateway", command, "S001/GW-1", data=tmp_path)[0] == 0
                until(lambda client=client: not client.is_connected())  # type: ignore[misc]
                client.loop_stop()
        finally:
            collecting.stop()


def test_an_old_password_holds_for_its_grace_and_is_cut_with_it(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        collecting = Collecting(load(data=tmp_path, mqtt_port=0), desk)
        first = issue(desk.records, "CHEM-001", BY._replace(now=wall_clock()))
        collecting.start()
        try:
            client = speak(collecting.port, "CHEM-001", first)
            by = BY._replace(now=wall_clock())
            second = issue(desk.records, "CHEM-001", by, grace=timedelta(seconds=3))
            assert first != second
            other = speak(collecting.port, "CHEM-001", first)
            other.disconnect()
            other.loop_stop()
            until(lambda: not client.is_connected())
            client.loop_stop()
            revoke(desk.records, "CHEM-001", by)
        finally:
            collecting.stop()


def test_a_grace_that_began_before_a_restart_is_over_too(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        first = issue(desk.records, "CHEM-001", BY._replace(now=wall_clock()))
        grace = timedelta(seconds=6)
        issue(desk.records, "CHEM-001", BY._replace(now=wall_clock()), grace=grace)
        collecting = Collecting(load(data=tmp_path, mqtt_port=0), desk)
        collecting.start()
        try:
            client = speak(collecting.port, "CHEM-001", first)
            until(lambda: not client.is_connected())
            client.loop_stop()
        finally:
            collecting.stop()


def test_the_broker_s_password_file_keeps_the_lines_of_others(tmp_path: Path) -> None:
    with office(tmp_path, given.device("CHEM-002")) as desk:
        issue(desk.records, "CHEM-001", BY)
        issue(desk.records, "CHEM-002", BY)
        revoke(desk.records, "CHEM-002", BY)
    file = tmp_path / "passwords"
    file.write_text("fieldcare:$7$101$a$b\nCHEM-001:$7$101$old$old\nCHEM-002:$7$101$c$d\n")
    code, said = cli("device", "passwords", file, data=tmp_path)
    assert (code, "2 users" in said) == (0, True), said
    users = [line.split(":")[0] for line in file.read_text().splitlines()]
    assert users == ["fieldcare", "CHEM-001"]
    assert "old" not in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("device", "revoke", "X-9"), "'X-9' has no credential"),
        (("device", "rotate", "X-9"), "'X-9' is not registered"),
        (("quarantine", "show", "none"), "'none' is not in quarantine"),
        (("quarantine", "replay"), "say which"),
        (("quarantine", "unmap", "none"), "'none' does not exist"),
        (("quarantine", "discard", "x", "--reason", "because"), "the reason is one of test"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    code, said = cli(*arguments, data=tmp_path)
    assert (code, says in said) == (2, True), said

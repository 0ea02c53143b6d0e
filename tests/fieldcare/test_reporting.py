"""Health and readiness tell the truth when something is really wrong."""

import json
import os
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from collector.histogram import Histogram
from desk.office import Office
from desk.register import issue
from equipment.partition import newest_by_partition, partition
from equipment.reading import Batch, Note
from fieldcare.clock import wall_clock
from fieldcare.ops import OpsPort
from fieldcare.settings import Settings, WrongSetting, load
from fieldcare.wiring import Collecting, backstage
from storage.tail import StorageError
from tests.fieldcare.given_process import office, started, until
from tests.given import BY

TOPIC = "fc/v1/S001/CHEM-001/tele"


def asked(port: int, path: str) -> tuple[int, Any]:
    """Ask the port for operations; return status and answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return status, body.decode() if path == "/metrics" else json.loads(body)


@contextmanager
def watched(conf: Settings, desk: Office) -> Iterator[tuple[Collecting, int]]:
    """Collect, and listen for operations; yield the collector and that port."""
    collecting = Collecting(conf, desk)
    port = OpsPort(backstage(conf, desk, collecting=collecting), "127.0.0.1", 0)
    collecting.start()
    port.start()
    try:
        yield collecting, port.port
    finally:
        port.stop()
        collecting.committer.stop(timeout_s=0.2)
        collecting.stop()


def send(port: int, secret: str) -> Client:
    """Send one reading; do not wait for its acknowledgement."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="CHEM-001")
    client.username_pw_set("CHEM-001", secret)
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(client.is_connected)
    now_ms = int(wall_clock().timestamp() * 1000)
    message = {"b": "b", "s": 1, "t": now_ms, "m": {"wash_vacuum": -70.0}}
    client.publish(TOPIC, json.dumps(message).encode(), 1)
    return client


def test_a_collector_that_works_is_ready_and_counts(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        secret = issue(desk.records, "CHEM-001", BY)
        with watched(load(data=tmp_path, mqtt_port=0), desk) as (collecting, port):
            assert asked(port, "/readyz") == (200, {"ok": True, "reasons": {}})
            assert asked(port, "/healthz") == (200, {"ok": True, "parts": []})
            client = send(collecting.port, secret)
            until(lambda: "fieldcare_committed_messages_total 1.0" in asked(port, "/metrics")[1])
            told = asked(port, "/metrics")[1]
            assert "fieldcare_acknowledged_messages_total 1.0" in told
            assert 'fieldcare_store_seconds_bucket{le="10.0"}' in told
            assert f'fieldcare_partition_lag_seconds{{partition="{partition("CHEM-001")}"}}' in told
            assert "fieldcare_connections 1.0" in told
            client.disconnect()
            client.loop_stop()


def test_a_store_that_refuses_is_not_ready_but_alive_and_ready_again_afterwards(
    tmp_path: Path,
) -> None:
    with office(tmp_path) as desk:
        secret = issue(desk.records, "CHEM-001", BY)
        with watched(load(data=tmp_path, mqtt_port=0), desk) as (collecting, port):
            other = sqlite3.connect(f"{tmp_path / 'telemetry.sqlite'}-writer", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")  # as another process that appends has it
            client = send(collecting.port, secret)
            until(lambda: asked(port, "/readyz")[0] == 503)
            reasons = asked(port, "/readyz")[1]["reasons"]
            assert "nothing is acknowledged" in reasons["store"]["en"]
            assert str(tmp_path) not in json.dumps(reasons)
            assert asked(port, "/healthz")[0] == 200
            assert 'fieldcare_unready{part="store"} 1.0' in asked(port, "/metrics")[1]
            other.close()
            until(lambda: asked(port, "/readyz")[0] == 200)
            client.disconnect()
            client.loop_stop()


def test_a_full_spool_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = nobody.getsockname()[1]
    influx = f"influx://token:t@127.0.0.1:{away}/bucket?org=o"
    conf = load(data=tmp_path, mqtt_port=0, telemetry=influx, spool_bytes=2**26)
    with office(tmp_path, settings=conf) as desk:
        secret = issue(desk.records, "CHEM-001", BY)
        with watched(conf, desk) as (collecting, port):
            assert asked(port, "/readyz")[0] == 200
            fill(desk)
            client = send(collecting.port, secret)
            until(lambda: asked(port, "/readyz")[0] == 503)
            assert "spool is full" in asked(port, "/readyz")[1]["reasons"]["store"]["en"]
            assert "fieldcare_spool_bytes 0.0" not in asked(port, "/metrics")[1]
            client.disconnect()
            client.loop_stop()


def fill(desk: Office) -> None:
    """Append until the spool does not even take a little more."""
    for size in (500_000, 2_000, 10):
        note = Note("CHEM-001", "event", 0, "b", 0, {"x": os.urandom(size).hex()})
        while takes(desk, Batch([], [note])):
            pass


def takes(desk: Office, batch: Batch) -> bool:
    """Append ``batch``; return whether it could be."""
    try:
        desk.telemetry.append(batch)
    except StorageError:
        return False
    return True


def test_a_collector_whose_thread_died_is_not_alive(tmp_path: Path) -> None:
    with office(tmp_path) as desk, watched(load(data=tmp_path, mqtt_port=0), desk) as (one, port):
        one.committer.stop()
        status, told = asked(port, "/healthz")
        assert (status, told["parts"]) == (503, ["collector"])
        assert asked(port, "/readyz")[0] == 503


def test_a_broker_that_is_away_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = nobody.getsockname()[1]
    conf = load(data=tmp_path, broker=f"mqtt://127.0.0.1:{away}")
    with office(tmp_path) as desk, watched(conf, desk) as (_, port):
        status, told = asked(port, "/readyz")
        assert status == 503
        assert "broker is away" in told["reasons"]["listener"]["en"]
        assert asked(port, "/healthz")[0] == 200


def test_the_commands_open_the_port_that_is_set(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started("plan", "--watch", data=tmp_path, ops_port=port):
        until(lambda: answers(port))
        assert asked(port, "/readyz")[0] == 200


def answers(port: int) -> bool:
    """Return whether anybody listens there."""
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def test_the_port_for_operations_stays_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"ops_host=0\.0\.0\.0 listens beyond this machine"):
        load(data=tmp_path, ops_host="0.0.0.0")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with office(tmp_path) as desk, socket.create_server(("127.0.0.1", 0)) as taken:
        port = OpsPort(backstage(load(data=tmp_path), desk), "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="cannot listen for operations"):
            port.start()


def test_a_histogram_counts_what_took_at_most_so_long() -> None:
    histogram = Histogram((0.1, 1.0))
    for took_s in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(took_s)
    assert histogram.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert histogram.total_s == pytest.approx(7.65)


def test_the_newest_event_of_a_partition_is_that_of_its_devices() -> None:
    last = {"A": {"x": (5, 0.0), "y": (9, 0.0)}, "B": {}}
    assert newest_by_partition(last) == {partition("A"): 9}

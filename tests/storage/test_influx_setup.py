"""`fieldcare migrate` makes what is missing on a server, and nothing twice."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.influx_setup import SetUpFailed, set_up
from tests.influx2_server import ORG, TOKEN
from tests.storage.given_influx import register, settle
from tests.storage.given_telemetry import EVER, plain, readings


def fresh_name() -> str:
    return f"t{uuid.uuid4().hex}"


@pytest.fixture
def one(influx_server) -> Server:
    return Server(influx_server.url, fresh_name())


@pytest.fixture
def two(influx2) -> Server:
    return Server(influx2.url, fresh_name(), ORG, TOKEN)


@pytest.mark.influx
def test_two_databases_are_made_on_1_x(one, influx_server):
    assert set_up(one, 400, 3650) == [
        f"database {one.bucket!r} made, it keeps 400 days",
        f"database {one.rollups!r} made, it keeps 3650 days",
    ]
    assert set_up(one, 400, 3650)[0] == f"database {one.bucket!r} is there and keeps 400 days"
    assert set_up(one, 5, 3650)[0] == f"database {one.bucket!r} keeps 5 days now, 400 days before"
    policies = influx_server.ask(f"SHOW RETENTION POLICIES ON {one.bucket}")
    assert policies["results"][0]["series"][0]["values"][0][:3] == [
        "autogen",
        "120h0m0s",
        "24h0m0s",
    ]


@pytest.mark.influx
def test_a_database_that_keeps_for_ever_is_told_to_forget(one, influx_server):
    influx_server.ask(f"CREATE DATABASE {one.bucket}")
    assert (
        set_up(one, 400, 3650)[0] == f"database {one.bucket!r} keeps 400 days now, for ever before"
    )


@pytest.mark.influx2
def test_two_buckets_are_made_on_2_x_and_influxql_finds_them(two):
    assert set_up(two, 400, 3650) == [
        f"bucket {two.bucket!r} made, it keeps 400 days",
        f"bucket {two.rollups!r} made, it keeps 3650 days",
    ]
    assert set_up(two, 400, 3650)[1] == f"bucket {two.rollups!r} is there and keeps 3650 days"
    assert set_up(two, 30, 3650)[0] == f"bucket {two.bucket!r} keeps 30 days now, 400 days before"
    asked = {"db": two.rollups, "q": "SHOW MEASUREMENTS"}
    with two.http() as http:
        assert http.get("/query", params=asked).json() == {"results": [{"statement_id": 0}]}


@pytest.mark.influx2
def test_a_mapping_that_is_missing_on_2_x_is_made(two):
    set_up(two, 400, 3650)
    with two.http() as http:
        buckets = http.get("/api/v2/buckets", params={"name": two.bucket}).json()["buckets"]
        other = http.get("/api/v2/buckets", params={"name": two.rollups}).json()["buckets"]
        org = {"orgID": buckets[0]["orgID"]}
        elsewhere = {"database": two.bucket, "retention_policy": "x", "default": True, **org}
        http.post(
            "/api/v2/dbrps", json={"bucketID": other[0]["id"], **elsewhere}
        ).raise_for_status()
    assert set_up(two, 400, 3650)[0].endswith("; InfluxQL finds it now")
    assert set_up(two, 400, 3650)[0].endswith("keeps 400 days")


@pytest.mark.influx2
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"token": "wrong"}, "FIELDCARE_TELEMETRY: .* may not set the server up"),
        ({"org": "nowhere"}, r"FIELDCARE_TELEMETRY: .* no organisation 'nowhere'"),
        ({"url": "http://127.0.0.1:9"}, "FIELDCARE_TELEMETRY: http://127.0.0.1:9: .*refused"),
    ],
)
def test_what_is_wrong_is_said_with_the_setting_s_name(two, changed, why):
    given = {"url": two.url, "bucket": two.bucket, "org": ORG, "token": TOKEN, **changed}
    with pytest.raises(SetUpFailed, match=why):
        set_up(Server(**given), 400, 3650)


@pytest.mark.influx2
def test_the_spool_fills_while_the_bucket_is_missing_and_empties_once_it_is_made(two, tmp_path):
    with closing(InfluxTelemetry(two, tmp_path / "spool", register)) as store:
        store.append(readings(("A", 1, 1.0)))
        for _ in range(500):
            if "`fieldcare migrate` makes it" in store.backlog().why:
                break
            time.sleep(0.01)
        assert store.backlog().batches == 1
        telemetry = two.url.replace("http://", f"influx://token:{TOKEN}@")
        given = {"FIELDCARE_TELEMETRY": f"{telemetry}/{two.bucket}?org={ORG}"}
        command = [sys.executable, "-m", "fieldcare", "migrate", "--data", tmp_path / "d"]
        ran = subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, check=True
        )
        assert f"bucket '{two.rollups}' made" in " ".join(ran.stdout.split())
        settle(store)
        assert plain(store.raw("A", *EVER)) == {"temp": [(1, 1.0)]}


@contextmanager
def imitated_3(answers: dict[str, int]) -> Iterator[tuple[Server, list[dict]]]:
    """An InfluxDB 3 as its documentation describes these two endpoints; none was at hand."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, b'{"version":"3.2.0","revision":"x","process_id":"y"}')

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**request, "path": self.path})
            self._answer(answers[request["db"]], b"")

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{http.server_port}", "fc", token="t"), asked
        finally:
            http.shutdown()
            thread.join()


def test_two_databases_are_asked_for_on_3_x():
    with imitated_3({"fc": 409, "fc_rollups": 200}) as (server, asked):
        there, made = set_up(server, 400, 3650)
    assert there.startswith("database 'fc' is there")
    assert made == "database 'fc_rollups' made, it keeps 3650 days"
    path = "/api/v3/configure/database"
    assert asked[1] == {"db": "fc_rollups", "retention_period": "3650d", "path": path}


def test_a_3_x_that_makes_no_databases_gets_the_command_to_run():
    with (
        imitated_3({"fc": 405}) as (server, _),
        pytest.raises(SetUpFailed, match="influxdb3 create database --retention-period 400d fc"),
    ):
        set_up(server, 400, 3650)

"""A server that comes and goes: the spool keeps, the forwarder catches up, in order."""

import sqlite3
import uuid
from contextlib import closing

import httpx
import numpy as np
import pytest

from equipment.reading import Batch
from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.tail import StorageError
from tests.influx_server import running
from tests.storage.given_influx import MODELS, settle
from tests.storage.given_telemetry import EVER, T0, block, fleet, note, plain, readings

pytestmark = pytest.mark.influx


@pytest.fixture
def server(influx_server):
    name = f"t{uuid.uuid4().hex}"
    influx_server.ask(f"CREATE DATABASE {name}")
    return Server(influx_server.url, name)


def test_a_reading_can_be_read_before_it_is_on_the_server(server, tmp_path):
    with closing(InfluxTelemetry(server, tmp_path / "s.db", MODELS)) as store:
        for at in range(50):
            store.append(readings(("A", at, float(at))))
            assert plain(store.raw("A", *EVER))["temp"][-1] == (at, float(at))
            assert store.last(["A"])["A"]["temp"] == (T0 + at, float(at))


def test_a_device_model_is_a_measurement_and_its_metrics_are_fields(server, tmp_path):
    with closing(InfluxTelemetry(server, tmp_path / "s.db", MODELS)) as store:
        rows = [("A", 0, [1.0, 2.0]), ("B", 0, [3.0, 4.0]), ("C", 0, [5.0, 6.0])]
        store.append(Batch([block(rows, "temp", "vacuum")]))
        settle(store)
    answer = httpx.get(
        f"{server.url}/query",
        params={"db": server.bucket, "q": "SHOW SERIES; SELECT * FROM CHEM", "epoch": "ms"},
    ).json()
    series, chem = (result["series"][0]["values"] for result in answer["results"])
    assert series == [
        ["CHEM,device=A,model=CHEM"],
        ["CHEM,device=C,model=CHEM"],
        ["IMMU,device=B,model=IMMU"],
    ]
    assert chem == [[T0, "A", "CHEM", 1, 2], [T0, "C", "CHEM", 5, 6]]


def test_what_was_not_forwarded_is_forwarded_after_a_restart(server, tmp_path):
    nobody = Server("http://127.0.0.1:9", server.bucket)
    with closing(InfluxTelemetry(nobody, tmp_path / "s.db", MODELS)) as store:
        for at in range(20):
            store.append(Batch(readings(("A", at, float(at))).blocks, [note("A", at)]))
        assert store.waiting() == 20
        with pytest.raises(StorageError, match=r"127\.0\.0\.1:9"):
            store.raw("A", *EVER)
    with closing(InfluxTelemetry(server, tmp_path / "s.db", MODELS)) as store:
        settle(store)
        assert len(plain(store.raw("A", *EVER))["temp"]) == 20
        assert len(store.notes("A", *EVER)) == 20
    with closing(InfluxTelemetry(server, tmp_path / "s.db", MODELS)) as store:
        assert store.last(["A"]) == {"A": {"temp": (T0 + 19, 19.0)}}
        assert plain(store.raw("A", *EVER))["temp"] == [(at, float(at)) for at in range(20)]


def test_nothing_is_lost_when_the_server_is_killed_and_comes_back(tmp_path):
    with running(tmp_path / "server") as server:
        server.ask("CREATE DATABASE fc")
        there = Server(server.url, "fc")
        with closing(InfluxTelemetry(there, tmp_path / "s.db", {}, generation_rows=100)) as store:
            for at in range(300):
                store.append(fleet(20, at, np.random.default_rng(at)))
                if at in (60, 180):
                    server.stop(kill=True)
                if at in (120, 240):
                    server.start()
            settle(store)
            for number in (0, 7, 19):
                found = plain(store.raw(f"D{number}", *EVER))["temp"]
                assert found == [
                    (at, fleet(20, at, np.random.default_rng(at)).blocks[0].values[number, 0])
                    for at in range(300)
                ]


def test_a_reading_the_server_will_never_take_is_set_aside_and_the_rest_goes_on(server, tmp_path):
    text = f'CHEM,device=A,model=CHEM temp="text" {T0}'
    where = {"db": server.bucket, "precision": "ms"}
    httpx.post(f"{server.url}/write", params=where, content=text).raise_for_status()
    with closing(InfluxTelemetry(server, tmp_path / "s.db", MODELS)) as store:
        store.append(readings(("A", 1, 1.0), ("B", 1, 1.0)))
        settle(store)
        store.append(readings(("B", 2, 2.0)))
        settle(store)
        assert plain(store.raw("B", *EVER))["temp"] == [(1, 1.0), (2, 2.0)]
    with closing(sqlite3.connect(tmp_path / "s.db")) as db:
        (why, lines), *more = db.execute("SELECT why, lines FROM refused").fetchall()
    assert "field type conflict" in why
    assert b"device=A" in lines
    assert not more


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path):
    nobody, batch = Server("http://127.0.0.1:9", "fc"), fleet(20, 1, np.random.default_rng(1))
    with closing(InfluxTelemetry(nobody, tmp_path / "s.db", {}, spool_bytes=200_000)) as store:
        with pytest.raises(StorageError, match="full"):
            any(store.append(batch) == 0 for _ in range(10_000))
        assert 10 < store.waiting() == len(list(store.batches(0)))


def test_an_answer_that_is_not_one_is_said_to_be_so(server, tmp_path):
    elsewhere = Server(server.url + "/ping?", server.bucket)
    with (
        closing(InfluxTelemetry(elsewhere, tmp_path / "s.db", {})) as store,
        pytest.raises(StorageError, match="not an answer"),
    ):
        store.raw("A", *EVER)

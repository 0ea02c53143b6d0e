"""A server that comes and goes: the spool keeps, the forwarder catches up, in order."""

import random
import subprocess
import sys
import time
import uuid
from contextlib import closing

import httpx
import numpy as np
import pytest

from equipment.device import Device
from equipment.reading import Batch
from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.influx_reader import InfluxReader
from storage.interface import Checkpoint
from storage.records_memory import MemoryRecords
from storage.refused import RefusedLines
from storage.register import UNKNOWN, RecordedDevices
from storage.spool import Spool
from storage.tail import StorageError
from tests.influx_server import running
from tests.storage.given_influx import register, settle
from tests.storage.given_telemetry import EVER, T0, block, fleet, note, plain, readings

pytestmark = pytest.mark.influx


@pytest.fixture
def server(influx_server):
    name = f"t{uuid.uuid4().hex}"
    influx_server.ask(f"CREATE DATABASE {name}")
    return Server(influx_server.url, name)


def test_a_reading_can_be_read_before_it_is_on_the_server(server, tmp_path):
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        for at in range(50):
            store.append(readings(("A", at, float(at))))
            assert plain(store.raw("A", *EVER))["temp"][-1] == (at, float(at))
            assert store.last(["A"])["A"]["temp"] == (T0 + at, float(at))


def test_a_device_model_is_a_measurement_and_its_metrics_are_fields(server, tmp_path):
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        rows = [("A", 0, [1.0, 2.0]), ("B", 0, [3.0, 4.0]), ("C", 0, [5.0, 6.0])]
        store.append(Batch([block(rows, "temp", "vacuum")]))
        settle(store)
    answer = httpx.get(
        f"{server.url}/query",
        params={"db": server.bucket, "q": "SHOW SERIES; SELECT * FROM CHEM", "epoch": "ms"},
    ).json()
    series, chem = (result["series"][0]["values"] for result in answer["results"])
    assert series == [
        ["CHEM,device=A,model=CHEM,site=S1"],
        ["CHEM,device=C,model=CHEM,site=S2"],
        ["IMMU,device=B,model=IMMU,site=S1"],
    ]
    assert chem == [[T0, "A", "CHEM", "S1", 1, 2], [T0, "C", "CHEM", "S2", 5, 6]]


def test_what_was_not_forwarded_is_forwarded_after_a_restart(server, tmp_path):
    nobody = Server("http://127.0.0.1:9", server.bucket)
    with closing(InfluxTelemetry(nobody, tmp_path / "spool", register)) as store:
        for at in range(20):
            store.append(Batch(readings(("A", at, float(at))).blocks, [note("A", at)]))
        assert store.backlog().batches == 20
        with pytest.raises(StorageError, match=r"127\.0\.0\.1:9"):
            store.raw("A", *EVER)
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        settle(store)
        assert len(plain(store.raw("A", *EVER))["temp"]) == 20
        assert len(store.notes("A", *EVER)) == 20
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        assert store.last(["A"]) == {"A": {"temp": (T0 + 19, 19.0)}}
        assert plain(store.raw("A", *EVER))["temp"] == [(at, float(at)) for at in range(20)]


def test_nothing_is_lost_when_the_server_is_killed_and_comes_back(tmp_path):
    with running(tmp_path / "server") as server:
        server.ask("CREATE DATABASE fc")
        there = Server(server.url, "fc")
        with closing(
            InfluxTelemetry(there, tmp_path / "spool", register, generation_rows=100, linger_s=0)
        ) as store:
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
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        store.append(readings(("A", 1, 1.0), ("B", 1, 1.0)))
        settle(store)
        store.append(readings(("B", 2, 2.0)))
        settle(store)
        assert plain(store.raw("B", *EVER))["temp"] == [(1, 1.0), (2, 2.0)]
    (refused,) = RefusedLines(tmp_path / "spool").newest_first()
    assert "field type conflict" in refused.why
    assert refused.line == f"CHEM,site=S1,device=A,model=CHEM temp=1.0 {T0 + 1}000000"


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path):
    nobody, batch = Server("http://127.0.0.1:9", "fc"), fleet(20, 1, np.random.default_rng(1))
    with closing(
        InfluxTelemetry(nobody, tmp_path / "spool", register, spool_bytes=200_000)
    ) as store:
        with pytest.raises(StorageError, match="full"):
            any(store.append(batch) == 0 for _ in range(10_000))
        assert 10 < store.backlog().batches == len(list(store.batches(0)))


def test_an_answer_that_is_not_one_is_said_to_be_so(server, tmp_path):
    elsewhere = Server(server.url + "/ping?", server.bucket)
    with (
        closing(InfluxTelemetry(elsewhere, tmp_path / "spool", register)) as store,
        pytest.raises(StorageError, match="not an answer"),
    ):
        store.raw("A", *EVER)


def test_another_process_takes_no_reading_of_the_future_for_the_newest(server, tmp_path):
    ago = round(time.time() * 1000) - T0
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        store.append(readings(("A", ago - 1000, 1.0), ("A", ago + 3_600_000, 2.0)))
        settle(store)
    with closing(InfluxReader(server, register)) as reader:
        assert reader.last(["A"]) == {"A": {"temp": (T0 + ago - 1000, 1.0)}}


def test_another_process_sees_what_the_collector_forwarded(server, tmp_path):
    birth, event = note("A", 5, "birth", fw='3.2 "x" \\ 名'), note("A", 9, seq=2**53)
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        rows = readings(("A", 0, 1.0), ("A", 7, 2.0)).blocks
        store.append(Batch(rows, [birth, event, note("A", 9, seq=3), note("B", 9)]))
        settle(store)
    with closing(InfluxReader(server, register)) as reader:
        assert reader.notes("A", *EVER) == [birth, note("A", 9, seq=3), event]
        assert reader.notes("A", *EVER, ["birth"]) == [birth]
        assert plain(reader.raw("A", *EVER)) == {"temp": [(0, 1.0), (7, 2.0)]}
        assert plain(reader.raw("A", *EVER, [])) == {}


def test_the_newest_readings_are_known_after_the_spool_has_let_go_of_them(server, tmp_path):
    how = {"spool_bytes": 100_000, "linger_s": 0}
    with closing(InfluxTelemetry(server, tmp_path / "spool", register, **how)) as store:
        for at in range(300):
            id = store.append(fleet(20, at, np.random.default_rng(at)))
            if at % 20 == 0:
                store.keep_checkpoint(Checkpoint(id, b""))
                settle(store)
        settle(store)
        newest = store.last([f"D{n}" for n in range(20)])
    assert len(list((tmp_path / "spool").glob("*.segment"))) < 9
    with closing(InfluxTelemetry(server, tmp_path / "spool", register, **how)) as store:
        assert store.last([f"D{n}" for n in range(20)]) == newest
        assert newest["D7"]["temp"][0] == T0 + 299


def test_a_device_that_is_registered_while_it_runs_is_known():
    records = MemoryRecords()
    known = RecordedDevices(records)
    assert known("NEW") == UNKNOWN
    with records.begin() as work:
        work.shelf(Device).put(Device("NEW", "S7", "CHEM", "serial"))
    assert known("NEW") == ("CHEM", "S7")


def test_a_batch_that_nobody_can_read_is_set_aside_and_the_rest_goes_on(server, tmp_path):
    with closing(Spool(tmp_path / "spool")) as spool:
        spool.append(b"not a batch", 0)
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        store.append(readings(("A", 1, 1.0)))
        settle(store)
        assert plain(store.raw("A", *EVER)) == {"temp": [(1, 1.0)]}
        assert [batch.id for batch in store.batches(0)] == [2]
    (aside,) = (tmp_path / "spool").glob("*.unreadable")
    assert aside.read_bytes() == b"not a batch"


_CHILD = """
import sys
from pathlib import Path
from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from tests.storage.given_influx import register
from tests.storage.given_telemetry import readings
url, bucket, folder = sys.argv[1:]
how = {"linger_s": 0, "spool_bytes": 1_000_000}
store = InfluxTelemetry(Server(url, bucket), Path(folder), register, **how)
at = max([batch.id for batch in store.batches(0)], default=0)
while True:
    at += 1
    assert store.append(readings(("A", at, 1.0), ("B", at, 2.0))) == at
    print(at, flush=True)
"""


def test_every_acknowledged_reading_is_on_the_server_once_after_kills(server, tmp_path):
    rng = random.Random(5)
    command = [sys.executable, "-c", _CHILD, server.url, server.bucket, tmp_path / "spool"]
    told = 0
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            for line in child.stdout:
                told = int(line)
                if rng.random() < 0.01:
                    child.kill()
            child.wait()
    with closing(InfluxTelemetry(server, tmp_path / "spool", register)) as store:
        settle(store)
    with closing(InfluxReader(server, register)) as reader:
        for device in "AB":
            found = [at for at, _ in plain(reader.raw(device, *EVER))["temp"]]
            assert found[:told] == list(range(1, told + 1))
            assert len(found) in (told, told + 1)  # one may be kept and not told

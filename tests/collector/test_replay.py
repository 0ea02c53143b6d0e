"""A file goes the way of live messages; a bad row is left out, with its line."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.committer import Committer
from collector.mapping import BadMapping, Mapping, load
from collector.replay import Bad, Progress, replay
from equipment.wire import Birth, Tele, decode
from tests.collector.given_endpoint import Recorder

TOML = """
device = "SKAB-1"
site = "BENCH"
model = "CHEM"
delimiter = ";"

[time]
column = "datetime"
format = "%Y-%m-%d %H:%M:%S"
zone = "Asia/Shanghai"

[metrics.wash_vacuum]
column = "Pressure"
unit = "bar"
period_s = 1

[metrics.cabinet_temp]
column = "Temperature"
unit = "Cel"
"""
TABLE = """datetime;Temperature;Pressure;anomaly
2026-01-01 08:00:00;20.5;0.1;0
2026-01-01 08:00:01;20.6;;0
2026-01-01 08:00:02;warm;0.1;0
yesterday;20.5;0.1;0
2026-01-01 08:00:04;;;0
2026-01-01 08:00:05;nan;0.1;0
2026-01-01 08:00:06
2026-01-01 08:00:07;20.7;0.3;1
"""
EIGHT_MS = 1_767_225_600_000


class Committed:
    """A committer with its sink."""

    def __init__(self) -> None:
        self.sink = Recorder()
        self.committer = Committer(self.sink)
        self.committer.start()


@pytest.fixture
def there() -> Iterator[Committed]:
    committed = Committed()
    yield committed
    committed.committer.stop()


@pytest.fixture
def mapping() -> Mapping:
    return load(TOML)


def fed(path: Path, there: Committed, **how: object) -> Progress:
    *_, last = replay(path, there.committer, **how)  # type: ignore[arg-type]
    return last


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_becomes_a_birth_and_its_readings(
    tmp_path: Path, there: Committed, mapping: Mapping, packed: bool
) -> None:
    path = tmp_path / ("run.csv.gz" if packed else "run.csv")
    path.write_bytes(gzip.compress(TABLE.encode()) if packed else TABLE.encode())
    progress = fed(path, there, mapping=mapping)
    topics = [a.topic for a in there.sink.arrivals]
    assert topics == ["fc/v1/BENCH/SKAB-1/birth"] + ["fc/v1/BENCH/SKAB-1/tele"] * 3
    birth, *readings = (decode(a.topic.rsplit("/")[-1], a.payload) for a in there.sink.arrivals)
    assert isinstance(birth, Birth)
    assert [(m.n, m.u, m.p) for m in birth.metrics] == [
        ("wash_vacuum", "bar", 1.0),
        ("cabinet_temp", "Cel", 60.0),
    ]
    boot = birth.b
    assert readings == [
        Tele(boot, 0, EIGHT_MS, {"wash_vacuum": 0.1, "cabinet_temp": 20.5}, h=1),
        Tele(boot, 1, EIGHT_MS + 1000, {"cabinet_temp": 20.6}, h=1),
        Tele(boot, 7, EIGHT_MS + 7000, {"wash_vacuum": 0.3, "cabinet_temp": 20.7}, h=1),
    ]
    assert progress.bad == [
        Bad(4, "cabinet_temp: 'warm' is no number"),
        Bad(5, "time 'yesterday' is not %Y-%m-%d %H:%M:%S"),
        Bad(6, "no value in any column"),
        Bad(7, "cabinet_temp: 'nan' is no number"),
        Bad(8, "no value in any column"),
    ]
    assert (progress.messages, progress.bad_rows, progress.read) == (4, 5, path.stat().st_size)


def test_the_same_file_again_has_the_same_keys_at_any_speed(
    tmp_path: Path, there: Committed, mapping: Mapping
) -> None:
    path = tmp_path / "run.csv"
    path.write_text(TABLE)
    slept: list[float] = []
    fed(path, there, mapping=mapping)
    fed(path, there, mapping=mapping, speed=100.0, sleep=slept.append)
    first, second = there.sink.arrivals[:4], there.sink.arrivals[4:]
    assert first == second
    assert slept == [0.01, 0.06]
    path.write_text(TABLE.replace("20.7", "20.8"))
    fed(path, there, mapping=mapping)
    boots = {json.loads(a.payload)["b"] for a in there.sink.arrivals}
    assert len(boots) == 2


def test_a_long_table_goes_through_a_slow_store_without_piling_up(
    tmp_path: Path, there: Committed, mapping: Mapping
) -> None:
    path = tmp_path / "long.csv"
    row = "2026-01-01 08:00:00;20.5;0.1;0\n"
    path.write_text("datetime;Temperature;Pressure;anomaly\n" + row * 30_000)
    there.sink.open.clear()
    steps = replay(path, there.committer, mapping=mapping)
    seen = [next(steps).messages for _ in range(40)]
    assert seen == list(range(500, 20_001, 500))
    there.sink.open.set()
    *_, last = steps
    assert last.messages == len(there.sink.arrivals) == 30_001


def test_lines_of_json_are_messages_already(tmp_path: Path, there: Committed) -> None:
    path = tmp_path / "run.jsonl"
    topic = "fc/v1/S1/D1/tele"
    good = {"topic": topic, "payload": {"b": "1", "s": 1, "t": EIGHT_MS, "m": {"x": 1.5}}}
    lines = [json.dumps(good), "{", "", '{"topic": 1, "payload": {}}', '{"topic": "x"}', "[]"]
    path.write_text("\n".join([*lines, json.dumps(good)]))
    progress = fed(path, there)
    assert [(a.sender, a.topic) for a in there.sink.arrivals] == [(None, topic)] * 2
    assert json.loads(there.sink.arrivals[0].payload) == good["payload"]
    assert [bad.line for bad in progress.bad] == [2, 4, 5, 6]
    assert "`$.topic`" in progress.bad[1].why


def test_a_payload_without_a_time_is_not_ours_to_judge(tmp_path: Path, there: Committed) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"topic":"a","payload":{"t":"x"}}\n{"topic":"a","payload":3}'))
    progress = fed(path, there, speed=1.0, sleep=lambda s: None)
    assert [a.payload for a in there.sink.arrivals] == [b'{"t":"x"}', b"3"]
    assert progress.bad_rows == 0


def test_a_file_that_is_cut_off_is_read_up_to_there(
    tmp_path: Path, there: Committed, mapping: Mapping
) -> None:
    row = "2026-01-01 08:00:00;20.5;0.1;0\n"
    whole = gzip.compress(("datetime;Temperature;Pressure;anomaly\n" + row * 5000).encode())
    path = tmp_path / "run.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    progress = fed(path, there, mapping=mapping)
    assert progress.bad_rows == 1
    assert "broken from here on" in progress.bad[0].why


def test_an_empty_file_is_a_table_without_its_columns(
    tmp_path: Path, there: Committed, mapping: Mapping
) -> None:
    path = tmp_path / "run.csv"
    path.write_text("")
    with pytest.raises(BadMapping, match=r"run\.csv: no column datetime, Pressure, Temperature"):
        fed(path, there, mapping=mapping)
    with pytest.raises(BadMapping, match="needs a mapping"):
        fed(path, there)


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ('device = "SKAB-1"', "", r"device"),
        ('device = "SKAB-1"', 'device = "a/b"', "not fc/v1"),
        ('device = "SKAB-1"', 'device = "a.b"', "device 'a.b'"),
        ("Asia/Shanghai", "Asia/Nowhere", "time zone"),
        ('unit = "Cel"', "unit = 3", r"\$.metrics"),
        ('delimiter = ";"', 'delimiter = ""', r"\$.delimiter"),
        ('delimiter = ";"', 'delimeter = ";"', "delimeter"),
        ("[time]", "[time", "mapping: "),
    ],
)
def test_a_mapping_that_cannot_be_used_names_its_wrong_part(
    wrong: str, right: str, says: str
) -> None:
    with pytest.raises(BadMapping, match=says):
        load(TOML.replace(wrong, right))


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        ("iso", "2026-01-01T08:00:00+08:00"),
        ("iso", "2026-01-01 08:00"),
        ("s", "1767225600.0"),
        ("ms", "1767225600000"),
        ("%d.%m.%Y %H:%M", "01.01.2026 08:00"),
    ],
)
def test_instants_are_read_as_the_mapping_says(
    tmp_path: Path, there: Committed, form: str, cell: str
) -> None:
    path = tmp_path / "run.csv"
    path.write_text(f"datetime;Temperature;Pressure\n{cell};1;1\n")
    fed(path, there, mapping=load(TOML.replace("%Y-%m-%d %H:%M:%S", form)))
    reading = decode("tele", there.sink.arrivals[1].payload)
    assert isinstance(reading, Tele)
    assert reading.t == EIGHT_MS

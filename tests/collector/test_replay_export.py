"""An export of InfluxDB goes the way of live messages, each point under its own device."""

import gzip
import random
from pathlib import Path

import pytest

from collector.committer import Committer
from collector.export import Export, load_export
from collector.mapping import BadMapping
from collector.replay import Bad, Progress, replay
from equipment.wire import Birth, Tele, decode
from tests.collector.given_endpoint import Recorder
from tests.collector.given_lines import line

T_MS = 1_767_225_600_000
TOML = """
device_tag = "analyser"
site = "S1"
measurement = "chem"
precision = "us"

[devices]
"analyser 12" = "CHEM-001"

[metrics.wash_vacuum]
field = "vac"
unit = "bar"
period_s = 10

[metrics.door_open]
field = "door"
unit = "s"
"""


def fed(path: Path, committer: Committer, mapping: Export | None = None) -> Progress:
    *_, last = replay(path, committer, mapping=mapping)
    return last


@pytest.mark.parametrize("packed", [False, True])
def test_points_become_births_and_readings_of_their_devices(
    tmp_path: Path, sink: Recorder, committer: Committer, packed: bool
) -> None:
    lines = [
        "# DML",
        line("chem", {"analyser": "analyser 12"}, {"vac": -0.7, "note": "ok"}, T_MS * 1000),
        line("chem", {"analyser": "CHEM-002"}, {"vac": 1, "other": 2.0}, T_MS * 1000 + 1999),
        line("disk", {"host": "x"}, {"used": 5}, T_MS * 1000),
        line("chem", {"analyser": "CHEM-002"}, {"other": 2.0}, T_MS * 1000),
        line("chem", {"host": "x"}, {"vac": 5}, T_MS * 1000),
        line("chem", {"analyser": "a/b"}, {"vac": 5}, T_MS * 1000),
        line("chem", {"analyser": "CHEM-002"}, {"vac": 5}, None),
        "chem,analyser=CHEM-002 vac=NaN",
        line("chem", {"analyser": "CHEM-002"}, {"door": True}, T_MS * 1000 + 5000),
    ]
    text = "\n".join(lines).encode()
    path = tmp_path / ("run.lp.gz" if packed else "run.lp")
    path.write_bytes(gzip.compress(text) if packed else text)
    progress = fed(path, committer, load_export(TOML))
    assert [arrival.topic for arrival in sink.arrivals] == [
        "fc/v1/S1/CHEM-001/birth",
        "fc/v1/S1/CHEM-001/tele",
        "fc/v1/S1/CHEM-002/birth",
        "fc/v1/S1/CHEM-002/tele",
        "fc/v1/S1/CHEM-002/tele",
    ]
    birth, first, _, second, third = (
        decode(a.topic.rsplit("/")[-1], a.payload) for a in sink.arrivals
    )
    assert isinstance(birth, Birth)
    assert [(m.n, m.u, m.p) for m in birth.metrics] == [
        ("wash_vacuum", "bar", 10),
        ("door_open", "s", 60),
    ]
    assert first == Tele(birth.b, 0, T_MS, {"wash_vacuum": -0.7}, h=1)
    assert second == Tele(birth.b, 0, T_MS + 1, {"wash_vacuum": 1.0}, h=1)
    assert third == Tele(birth.b, 1, T_MS + 5, {"door_open": 1.0}, h=1)
    assert progress.bad == [
        Bad(6, "no tag 'analyser' that names the device"),
        Bad(7, "topic 'fc/v1/S1/a/b/tele' is not fc/v1/site/device/kind"),
        Bad(8, "no time at the end of the line"),
        Bad(9, "field vac: 'NaN' is no number"),
    ]
    assert (progress.messages, progress.bad_rows, progress.passed_over) == (5, 4, 2)
    assert progress.read == path.stat().st_size


def test_what_fieldcare_wrote_itself_needs_no_mapping(
    tmp_path: Path, sink: Recorder, committer: Committer
) -> None:
    tags = {"site": "S1", "device": "CHEM-001", "model": "CHEM"}
    path = tmp_path / "run.lp"
    path.write_text(line("chem", tags, {"wash_vacuum": -70.5, "psu_24v": 24.0}, T_MS * 1_000_000))
    fed(path, committer)
    birth, tele = (decode(a.topic.rsplit("/")[-1], a.payload) for a in sink.arrivals)
    assert isinstance(birth, Birth)
    assert birth.metrics == []
    assert tele == Tele(birth.b, 0, T_MS, {"wash_vacuum": -70.5, "psu_24v": 24.0}, h=1)


def test_the_same_export_again_has_the_same_keys(
    tmp_path: Path, sink: Recorder, committer: Committer
) -> None:
    draw = random.Random(5)
    path = tmp_path / "run.lp"
    path.write_text(
        "\n".join(
            line("m", {"site": "S1", "device": f"D{draw.randrange(9)}"}, {"x": draw.random()}, n)
            for n in range(3000)
        )
    )
    fed(path, committer)
    once = list(sink.arrivals)
    fed(path, committer)
    assert sink.arrivals == once + once


def test_a_line_of_many_megabytes_fills_no_memory_and_is_named(
    tmp_path: Path, sink: Recorder, committer: Committer
) -> None:
    path = tmp_path / "run.lp.gz"
    last = line("m", {"site": "S1", "device": "D1"}, {"x": 1.0}, 1)
    path.write_bytes(gzip.compress(b"x" * 20_000_000 + b"\n" + last.encode()))
    progress = fed(path, committer)
    assert len(sink.arrivals) == 2
    assert progress.bad_rows == 20
    assert all(len(bad.why) < 200 for bad in progress.bad)


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ('"us"', '"min"', "precision 'min' is none of ns, us, ms, s"),
        ('"CHEM-001"', '"a.b"', r"device 'a.b'"),
        ('site = "S1"', 'site = "a b"', r"site 'a b'"),
        ('unit = "bar"', "unit = 3", r"\$.metrics"),
        ("device_tag", "device_tags", "device_tags"),
        ("[devices]", "[devices", "mapping: "),
    ],
)
def test_a_mapping_that_cannot_be_used_names_its_wrong_part(
    wrong: str, right: str, says: str
) -> None:
    with pytest.raises(BadMapping, match=says):
        load_export(TOML.replace(wrong, right))

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from simulators import hospital
from simulators.modes import MODES
from simulators.script import Script, UnknownFault, drawn, label, write_labels

NOW = datetime(2026, 3, 3, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICES = hospital.region(1, devices=40).devices


def test_the_same_seed_draws_the_same_faults_whatever_the_window():
    year = drawn(1, DEVICES, NOW, NOW + 365 * DAY)
    month = drawn(1, DEVICES, NOW + 30 * DAY, NOW + 60 * DAY)
    assert year == drawn(1, DEVICES, NOW, NOW + 365 * DAY)
    assert month
    assert set(month) <= set(year)
    assert drawn(2, DEVICES, NOW, NOW + 365 * DAY) != year


def test_an_analyser_fails_a_few_times_a_year():
    chemistry = [device for device in DEVICES if device.model == "CHEM"]
    faults = drawn(1, chemistry, NOW, NOW + 730 * DAY)
    assert 3 <= len(faults) / len(chemistry) / 2 <= 6


def test_a_drawn_fault_is_repaired_after_its_failure_or_heals_before():
    for episode in drawn(1, DEVICES, NOW, NOW + 730 * DAY):
        assert episode.repaired_ms is not None
        assert (episode.repaired_ms < episode.failure_ms) == episode.healed
        assert not episode.healed or MODES[episode.mode].heals


def test_a_drawn_fault_can_be_left_to_the_technicians():
    left = drawn(1, DEVICES, NOW, NOW + 365 * DAY, repaired=False)
    repaired = drawn(1, DEVICES, NOW, NOW + 365 * DAY)
    assert [e.onset_ms for e in left] == [e.onset_ms for e in repaired]
    assert all((episode.repaired_ms is None) != episode.healed for episode in left)


def test_an_injected_fault_ends_with_the_repair_of_its_component():
    script = Script(DEVICES)
    script.inject("CHEM-001", "C3", NOW, lead=2 * DAY)
    script.inject("CHEM-001", "C8", NOW)
    (repaired,) = script.repair("CHEM-001", "wash_station", NOW + DAY)
    assert (repaired.mode, label(repaired)["repaired_at"]) == ("C3", "2026-03-04T00:00:00+00:00")
    assert script.repair("CHEM-001", "wash_station", NOW + DAY) == ()
    assert script.repair("CHEM-001", "C8", NOW + DAY)


def test_a_repair_of_a_real_device_changes_nothing_here():
    assert Script(DEVICES).repair("REAL-1", "lamp", NOW) == ()


@pytest.mark.parametrize(
    ("device", "mode", "why"),
    [
        ("CHEM-001", "I1", "mode 'I1' is one of IMMU, device 'CHEM-001' is CHEM"),
        ("CHEM-999", "C3", "mode 'C3' is one of CHEM, device 'CHEM-999' is unknown"),
        ("CHEM-001", "C99", "mode 'C99' is none of C1, C3"),
    ],
)
def test_a_fault_that_a_device_cannot_have_is_refused(device, mode, why):
    with pytest.raises(UnknownFault, match=why):
        Script(DEVICES).inject(device, mode, NOW)


def test_nothing_is_lost_when_threads_inject_at_once():
    script = Script(DEVICES)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: script.inject("CHEM-001", "C3", NOW + n * DAY), range(400)))
    assert len(script.episodes("CHEM-001")) == 400


def test_labels_are_one_json_object_per_episode_oldest_first(tmp_path):
    script = Script(DEVICES)
    script.inject("HEMA-001", "H3", NOW + DAY)
    script.inject("CHEM-001", "C3", NOW, lead=14 * DAY, scale=0.5)
    script.repair("CHEM-001", "C3", NOW + 15 * DAY)
    path = tmp_path / "labels.jsonl"
    assert write_labels(script, path) == 2
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first == {
        "device": "CHEM-001",
        "mode": "C3",
        "component": "wash_station",
        "title": {"zh": "真空泵或管路磨损", "en": "vacuum pump or tubing wear"},
        "onset": "2026-03-03T00:00:00+00:00",
        "failure": "2026-03-17T00:00:00+00:00",
        "repaired_at": "2026-03-18T00:00:00+00:00",
        "healed": False,
        "signature": {"wash_vacuum": 7.5},
    }
    assert (second["mode"], second["repaired_at"]) == ("H3", None)

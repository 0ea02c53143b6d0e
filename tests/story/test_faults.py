"""Nothing lost, twice or out of order: the fault script in small, on real servers."""

from pathlib import Path

import pytest

from benchmarks.faults import Story, run

pytestmark = [pytest.mark.mosquitto, pytest.mark.influx]


def test_nothing_is_lost_doubled_or_reordered_whatever_is_killed(tmp_path: Path) -> None:
    story = Story(messages=12_000, devices=6, rate=2500, kills=3, moods=4)
    found = run(tmp_path, story)
    assert sum(found.faults.values()) == 7
    assert found.again > 0
    assert (found.missing, found.duplicated, found.inverted) == (0, 0, 0)

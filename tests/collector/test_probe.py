"""Clients that others wrote observe the same on our endpoint as on a real mosquitto."""

from pathlib import Path
from typing import Any

import pytest

from tests.collector.probe import DEVICES, DIFFERENCES, PROBES, Probe, observations
from tests.collector.probe_clients import ours, theirs

PAGE = Path(__file__).parents[2] / "docs" / "mqtt-endpoint.md"
DIFFERENT = {(each.probe, each.version): each for each in DIFFERENCES}
Seen = dict[tuple[Probe, str], Any]


@pytest.fixture(scope="module")
def on_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    with theirs(tmp_path_factory.mktemp("theirs"), DEVICES) as server:
        return dict(zip(PROBES, observations(server), strict=True))


@pytest.fixture(scope="module")
def on_ours(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    with ours(tmp_path_factory.mktemp("ours"), DEVICES) as server:
        return dict(zip(PROBES, observations(server), strict=True))


@pytest.mark.mosquitto
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe[0].__name__}-{probe[1]}")
def test_the_same_is_observed_on_both_or_the_difference_is_meant(
    probe: tuple[Probe, str], on_mosquitto: Seen, on_ours: Seen
) -> None:
    if probe not in DIFFERENT:
        assert on_ours[probe] == on_mosquitto[probe]
        return
    meant = DIFFERENT[probe]
    assert (on_mosquitto[probe], on_ours[probe]) == (meant.theirs, meant.ours)


def test_every_difference_is_in_the_manual_with_its_reason() -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    assert [each.because for each in DIFFERENCES if each.because not in page] == []

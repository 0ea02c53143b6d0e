"""A smoothed value is compared with the baseline of its own device."""

import numpy as np
import pytest

from equipment.reading import Batch
from health.alarm import Alarm
from health.bank import Bank
from health.profile import load
from tests.health import given_readings as readings

EWMA = """
model: BENCH
version: 1
bucket: 10 s
gap: 30 s
mute: 20 s
metrics:
  - name: flow
    unit: L/min
    component: pump
    title: {zh: 流量, en: flow}
    every: 1 s
    noise: 1 L/min
rules:
  - metric: flow
    severity: warning
    ewma: {span: 30 s, baseline: 200 s, least: 0.3 L/min, sigmas: 6, for: 20 s, keep: 20 s}
"""


def _bank() -> Bank:
    return readings.bank(load(EWMA, "ewma.yaml"), "D")


def _noise(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(3).normal(size=count)


def _alarms(values: np.ndarray) -> list[Alarm]:  # type: ignore[type-arg]
    return readings.alarms(_bank(), "flow", list(values))


@pytest.mark.parametrize(("shift", "seen"), [(0.0, False), (1.0, False), (4.0, True), (-4.0, True)])
def test_a_shift_is_seen_when_it_is_large_for_this_device(shift: float, seen: bool) -> None:
    values = 32 + _noise(900) + np.r_[np.zeros(400), np.full(500, shift)]
    assert bool(_alarms(values)) is seen


def test_nothing_is_said_before_the_baseline_is_learnt() -> None:
    assert _alarms(32 + _noise(190) + np.linspace(0, 20, 190)) == []


def test_single_wild_readings_move_nothing() -> None:
    values = 32 + _noise(2000)
    values[400::37] = 500.0
    values[410::41] = -500.0
    assert _alarms(values) == []


def test_it_clears_when_the_value_is_back() -> None:
    shift = np.r_[np.zeros(400), np.full(300, 5.0), np.zeros(400)]
    alarms = _alarms(32 + _noise(1100) + shift)
    assert [alarm.cleared_at is None for alarm in alarms] == [True, False]
    assert alarms[1].id == alarms[0].id


def test_the_baseline_does_not_follow_while_the_value_is_out() -> None:
    alarms = _alarms(32 + _noise(20_000) + np.r_[np.zeros(400), np.full(19_600, 5.0)])
    assert [alarm.cleared_at for alarm in alarms] == [None]


def test_the_sentence_says_how_far_from_the_own_baseline() -> None:
    [alarm] = _alarms(32 + 0 * _noise(700) + np.r_[np.zeros(400), np.full(300, 5.0)])
    statistics = alarm.evidence["statistics"]
    assert statistics["baseline"] == pytest.approx(32.0)
    assert statistics["sigma"] == pytest.approx(0.3)
    assert alarm.says.en.startswith("flow smoothed over 30 seconds is 3")
    assert "above its own baseline 32.0 L/min" in alarm.says.en
    assert "高出自身基线 32.0 L/min" in alarm.says.zh


def test_maintenance_starts_a_new_baseline_and_ends_the_alarm() -> None:
    bank = _bank()
    shifted = readings.alarms(
        bank, "flow", list(32 + _noise(700) + np.r_[np.zeros(400), np.full(300, 5.0)])
    )
    assert len(shifted) == 1
    at_ms = readings.START_MS + 700_000
    [ended] = bank.step(Batch([], [readings.maintenance("D", at_ms, "pump")]))
    assert ended.id == shifted[0].id
    rows = [("D", at_ms + 1000 * n, [37.0]) for n in range(1, 900)]
    assert bank.step(Batch([readings.block(["flow"], rows)])) == []
    assert bank.active() == []


def test_maintenance_of_another_component_leaves_the_baseline() -> None:
    bank = _bank()
    readings.alarms(bank, "flow", list(32 + _noise(700) + np.r_[np.zeros(400), np.full(300, 5.0)]))
    note = readings.maintenance("D", readings.START_MS + 700_000, "door")
    assert bank.step(Batch([], [note])) == []
    assert len(bank.active()) == 1

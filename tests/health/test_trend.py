"""A trend says when a threshold will be met, and is not taken in by a jump."""

import json

import numpy as np
import pytest

from health.alarm import Alarm
from health.profile import Profile, load
from tests.health import given_readings as readings

TREND = """
model: BENCH
version: 1
bucket: 10 s
gap: 30 s
metrics:
  - name: vacuum
    unit: kPa
    component: pump
    title: {zh: 真空, en: vacuum}
    every: 1 s
    noise: 1 kPa
rules:
  - metric: vacuum
    severity: warning
    trend: {reach: -55 kPa, healthy: -70 kPa, window: 560 s, horizon: 600 s, certainty: 6}
"""


def _trend() -> Profile:
    return load(TREND, "trend.yaml")


def _alarms(values: list[float] | np.ndarray) -> list[Alarm]:  # type: ignore[type-arg]
    noise = np.random.default_rng(1).normal(size=len(values)) * 0.3
    return readings.alarms(readings.bank(_trend(), "D"), "vacuum", list(np.array(values) + noise))


def _left_s(alarm: Alarm, name: str) -> float:
    crosses = alarm.evidence["statistics"][name]
    return float(crosses / 1000 - alarm.raised_at.timestamp())


def test_wear_is_announced_with_the_time_that_is_left() -> None:
    values = -70 + 0.01 * np.arange(1500)
    [alarm, *_] = _alarms(values)
    true_s = 1500 - (alarm.raised_at.timestamp() - readings.START_MS / 1000)
    assert _left_s(alarm, "crosses_at_ms") == pytest.approx(true_s, rel=0.2)
    low, high = _left_s(alarm, "crosses_low_ms"), _left_s(alarm, "crosses_high_ms")
    assert 0.95 * low < true_s < 1.05 * high
    assert alarm.react_by is not None
    assert alarm.says.en.startswith("vacuum −6")
    assert " kPa, on trend reaches −55 kPa in about 10 minutes" in alarm.says.en
    assert "按趋势约 10 分钟后达到 −55 kPa" in alarm.says.zh


def test_wear_that_speeds_up_is_not_extrapolated_as_a_line() -> None:
    at = np.arange(1500)
    values = -70 + 15 * (np.exp(3 * at / 1500) - 1) / (np.exp(3) - 1)
    [alarm, *_] = _alarms(values)
    true_s = 1500 - (alarm.raised_at.timestamp() - readings.START_MS / 1000)
    assert _left_s(alarm, "crosses_at_ms") == pytest.approx(true_s, rel=0.5)


@pytest.mark.parametrize(
    "values",
    [
        np.full(2000, -70.0),
        np.r_[np.full(700, -70.0), np.full(1300, -65.0)],  # a jump is not wear
        -70 - 0.01 * np.arange(1500),  # away from the threshold
        -70 + 0.002 * np.arange(1500),  # far beyond the horizon
    ],
    ids=["nothing", "jump", "away", "slow"],
)
def test_what_is_no_wear_is_not_announced(values: np.ndarray) -> None:  # type: ignore[type-arg]
    assert _alarms(values) == []


def test_the_alarm_clears_when_the_repaired_value_stays() -> None:
    alarms = _alarms(np.r_[-70 + 0.01 * np.arange(1200), np.full(2500, -70.0)])
    assert [alarm.cleared_at is None for alarm in alarms] == [True, False]


def test_the_evidence_can_be_kept_as_json() -> None:
    [alarm, *_] = _alarms(-70 + 0.01 * np.arange(1500))
    kept = json.loads(json.dumps(alarm.evidence, allow_nan=False))
    assert kept == alarm.evidence
    assert 8 <= len(kept["window"]) <= 200
    assert kept["rule"] == "trend/1"
    assert kept["profile"] == "BENCH/1"

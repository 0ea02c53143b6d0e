from datetime import UTC, datetime

import numpy as np
import pytest

from equipment.catalog import COMPONENTS, MODELS
from simulators.analyzer import analyzer
from simulators.faults import Episode, shift
from simulators.instants import ms_of
from simulators.modes import MODES, Effect
from simulators.workload import DAY_MS

START = ms_of(datetime(2026, 3, 3, tzinfo=UTC))
EVERY_EFFECT = [(mode, effect) for mode in MODES.values() for effect in mode.effects]


def mean(mode: str, metric: str, from_ms: int, *episodes: Episode) -> float:
    """Three days of the metric, averaged."""
    device = analyzer(9, "A", MODES[mode].model)
    rows = device.rows(from_ms, from_ms + 3 * DAY_MS, episodes, thin_s=600)
    return float(np.mean([values[metric] for _, values in rows if metric in values]))


def expected_failure(effect: Effect, healthy: float) -> float:
    return max(0.0, healthy + effect.delta) if healthy >= 0 else healthy + effect.delta


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.id)
def test_a_mode_is_about_metrics_and_a_component_that_exist(mode):
    names = {metric.name for metric in MODELS[mode.model].metrics}
    assert mode.component in COMPONENTS
    assert {effect.metric for effect in mode.effects} <= names
    assert set(mode.resets) <= names
    assert mode.title.zh
    assert mode.title.en


@pytest.mark.parametrize(
    ("mode", "effect"), EVERY_EFFECT, ids=[f"{m.id}-{e.metric}" for m, e in EVERY_EFFECT]
)
def test_a_fault_reaches_its_signature_at_failure_and_a_repair_ends_it(mode, effect):
    lead_s = mode.lead_s[1]
    failure_ms = START + int(1000 * lead_s)
    episode = Episode("A", mode.id, START, lead_s)
    at_failure, before = shift(episode, effect, np.array([failure_ms, START - 1]))
    assert at_failure == pytest.approx(effect.delta)
    assert before == 0
    repaired_ms = failure_ms + 3 * DAY_MS
    repaired = Episode("A", mode.id, START, lead_s, repaired_ms=repaired_ms)
    healthy = mean(mode.id, effect.metric, failure_ms)
    sick = mean(mode.id, effect.metric, failure_ms, repaired)
    noise = MODELS[mode.model].metric(effect.metric).noise
    assert sick == pytest.approx(expected_failure(effect, healthy), abs=noise + 0.1)
    assert mean(mode.id, effect.metric, repaired_ms, repaired) == pytest.approx(
        mean(mode.id, effect.metric, repaired_ms)
    )


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.id)
def test_a_failure_leaves_a_warning_band_unless_it_shows_in_controls_first(mode):
    model = MODELS[mode.model]
    outside = []
    for effect in mode.effects:
        metric = model.metric(effect.metric)
        low, high = metric.warn
        value = metric.nominal + effect.delta
        outside.append((low is not None and value < low) or (high is not None and value > high))
    assert any(outside)


def test_severity_scales_the_signature():
    effect = MODES["C3"].effects[0]
    half = Episode("A", "C3", START, 10.0, scale=0.5)
    assert shift(half, effect, np.array([START + 10_000]))[0] == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("mode", "shares"),
    [
        ("C1", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("C3", [0.0, 0.032, 0.119, 0.356, 1.0]),
        ("H3", [1.0, 1.0, 1.0, 1.0, 1.0]),
        ("H1", [0.0, 0.25, 0.5, 0.75, 1.0]),
    ],
    ids=["linear", "exponential", "step", "sawtooth at its peaks"],
)
def test_shapes_grow_as_their_names_say(mode, shares):
    episode = Episode("A", mode, START, 1000.0)
    at_ms = START + np.arange(5) * 250_000
    effect = MODES[mode].effects[0]
    assert shift(episode, effect, at_ms) / effect.delta == pytest.approx(shares, abs=0.001)


def test_the_cooler_stays_cold_until_the_last_two_days():
    episode = Episode("A", "C7", START, 21 * 86400.0)
    duty, temp = MODES["C7"].effects
    at_ms = START + np.array([18, 20, 21]) * DAY_MS
    assert shift(episode, temp, at_ms) == pytest.approx([0, 3, 6])
    assert (shift(episode, duty, at_ms) > 20).all()


def test_an_intermittent_fault_comes_and_goes_ever_more_often():
    episode = Episode("A", "C11", START, 10 * 86400.0)
    at_ms = START + np.arange(0, 10 * DAY_MS, 1_800_000)
    bad = shift(episode, MODES["C11"].effects[0], at_ms) < 0
    first, last = bad[: len(bad) // 2].mean(), bad[len(bad) // 2 :].mean()
    assert 0.1 < first < 0.4
    assert 0.6 < last < 0.95


def test_a_new_lamp_counts_from_zero():
    repaired = Episode("A", "C1", START, 86400.0, repaired_ms=START + 2 * DAY_MS)
    device = analyzer(9, "A", "CHEM")
    rows = device.rows(START + 2 * DAY_MS, START + 3 * DAY_MS, [repaired])
    hours = [values["lamp_on_time"] for _, values in rows if "lamp_on_time" in values]
    assert hours == list(range(24))

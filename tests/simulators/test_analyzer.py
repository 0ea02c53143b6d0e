from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipment.catalog import MODELS
from simulators.analyzer import Analyzer, analyzer
from simulators.faults import Episode
from simulators.instants import ms_of
from simulators.modes import MODES
from simulators.workload import DAY_MS

HOUR_MS = 3_600_000
START = ms_of(datetime(2026, 3, 2, tzinfo=UTC))


def column(device: Analyzer, metric: str, from_ms: int, to_ms: int, *episodes: Episode):
    for frame in device.frames(from_ms, to_ms, episodes):
        if metric in frame.metrics:
            return frame.at_ms, frame.values[:, frame.metrics.index(metric)]
    raise AssertionError(f"{metric} is not due in the range")


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_bytes(model):
    first, second = (analyzer(7, "A", model).rows(START, START + DAY_MS) for _ in range(2))
    assert repr(first) == repr(second)


def test_another_seed_or_device_gives_other_values():
    rows = [
        analyzer(seed, device, "CHEM").rows(START, START + HOUR_MS)
        for seed, device in ((1, "A"), (2, "A"), (1, "B"))
    ]
    assert rows[0] != rows[1]
    assert rows[0] != rows[2]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(MODES)),
    st.lists(st.integers(1, 6 * HOUR_MS), min_size=1, max_size=6),
    st.sampled_from([0.0, 60.0]),
)
def test_a_range_may_be_cut_anywhere(mode, pieces, thin_s):
    device = analyzer(3, "A", MODES[mode].model)
    episode = Episode("A", mode, START - 3 * HOUR_MS, 86400.0)
    whole, at_ms = [], START
    for piece in pieces:
        whole += device.rows(at_ms, at_ms + piece, [episode], thin_s)
        at_ms += piece
    assert whole == device.rows(START, at_ms, [episode], thin_s)


def test_thinning_leaves_out_instants_and_changes_no_value():
    device = analyzer(3, "A", "CHEM")
    full = dict(device.rows(START, START + HOUR_MS))
    thin = dict(device.rows(START, START + HOUR_MS, thin_s=60))
    assert len(thin) == 60
    assert all(values.items() <= full[at_ms].items() for at_ms, values in thin.items())


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.code)
def test_every_metric_comes_at_its_period(model):
    rows = analyzer(3, "A", model.code).rows(START, START + 2 * DAY_MS)
    for metric in model.metrics:
        count = sum(metric.name in values for _, values in rows)
        assert count == round(2 * 86400 / metric.every_s), metric.name


def test_noise_has_the_catalogued_sigma_and_a_memory_of_about_an_hour():
    device = analyzer(5, "A", "IMMU")
    _, values = column(device, "vortexer_speed", START, START + 30 * DAY_MS)
    assert np.std(values) == pytest.approx(10, rel=0.05)
    near, far = (np.corrcoef(values[:-lag], values[lag:])[0, 1] for lag in (5, 600))
    assert near == pytest.approx(0.36, abs=0.05)
    assert abs(far) < 0.05


@pytest.mark.parametrize(
    ("model", "counter"), [("CHEM", "tests_total"), ("HEMA", "cbc_total"), ("CHEM", "washes_total")]
)
def test_a_counter_only_grows(model, counter):
    _, values = column(analyzer(5, "A", model), counter, START, START + 7 * DAY_MS)
    assert (np.diff(values) >= 0).all()
    assert values[-1] > values[0]


def test_the_count_of_a_day_is_the_work_of_that_day():
    device = analyzer(5, "A", "CHEM")
    midnight = START - 8 * HOUR_MS
    _, values = column(device, "tests_total", midnight, midnight + DAY_MS + 60_000)
    work = device.workload.done(np.array([midnight, midnight + DAY_MS]))
    assert values[-1] - values[0] == pytest.approx(work[1] - work[0], abs=5)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.code)
def test_a_healthy_month_stays_inside_the_warning_bands(model):
    """Wide bands are left less than once in a device-month; the sheath pressure, whose band is
    3.3 sigma wide, in less than 1 % of its samples (EQUIPMENT section 4)."""
    left = dict.fromkeys((metric.name for metric in model.metrics), 0)
    seen = dict(left)
    for number in range(4):
        device = analyzer(11, f"D{number}", model.code)
        for frame in device.frames(START, START + 30 * DAY_MS):
            for name, values in zip(frame.metrics, frame.values.T, strict=True):
                low, high = model.metric(name).warn
                seen[name] += len(values)
                left[name] += int((values < (-np.inf if low is None else low)).sum())
                left[name] += int((values > (np.inf if high is None else high)).sum())
    tight = left.pop("sheath_pressure", 0)
    assert tight <= 0.01 * seen.get("sheath_pressure", 0)
    assert {name: count for name, count in left.items() if count > 4} == {}

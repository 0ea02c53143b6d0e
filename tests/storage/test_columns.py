"""Packed columns come back bit for bit, and small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.columns import decode, encode
from storage.interface import Series

instants = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40)
numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(float),
    st.floats(-1000, 1000).map(lambda value: round(value, 3)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2, 1e-9]),
)


@settings(deadline=None)
@given(instants, st.data())
def test_any_finite_values_at_any_instants_come_back_bit_for_bit(at, data):
    at_ms = np.array(at, np.int64)
    column = st.lists(numbers, min_size=len(at), max_size=len(at))
    columns = data.draw(st.lists(column, min_size=1, max_size=5))
    series = {f"m{i}": Series(at_ms, np.array(one)) for i, one in enumerate(columns)}
    series["other"] = Series(at_ms[:1].copy(), np.array([1.5]))
    wanted = data.draw(st.sets(st.sampled_from(sorted(series))))
    blob = encode(series)
    for found, expected in ((decode(blob), set(series)), (decode(blob, wanted), wanted)):
        assert set(found) == expected
        for metric, one in found.items():
            assert one.at_ms.tobytes() == series[metric].at_ms.tobytes()
            assert one.values.tobytes() == series[metric].values.tobytes()


@pytest.mark.parametrize(
    ("noise", "decimals", "most"), [(0.03, 2, 0.55), (1.0, 2, 1.25), (0.05, 3, 1.1), (0.0, 1, 0.1)]
)
def test_sensor_values_are_small(noise, decimals, most):
    rng, n = np.random.default_rng(1), 720
    at_ms = 1_790_000_000_000 + 10_000 * np.arange(n)
    values = np.round(37 + noise * rng.standard_normal((12, n)), decimals)
    series = {f"metric_{i}": Series(at_ms, one) for i, one in enumerate(values)}
    assert len(encode(series)) / values.size < most


def test_a_counter_costs_next_to_nothing():
    at_ms = 1_790_000_000_000 + 60_000 * np.arange(720)
    series = {"lamp_on_time": Series(at_ms, 812 + np.arange(720) // 60 / 10)}
    assert len(encode(series)) < 200

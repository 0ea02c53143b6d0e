"""Quantities and spans are written for a person."""

import pytest

from health.saying import bound, decimals, quantity, span


@pytest.mark.parametrize(
    ("value", "unit", "places", "says"),
    [
        (-63.84, "kPa", 1, "−63.8 kPa"),
        (37.236, "Cel", 2, "37.24 °C"),
        (71.2, "%", 0, "71%"),
        (0.103, "1", 3, "0.103"),
        (-0.0001, "V", 2, "0.00 V"),
        (8, "{step}", 0, "8 steps"),
    ],
)
def test_a_quantity(value: float, unit: str, places: int, says: str) -> None:
    assert quantity(value, unit, places) == says


def test_a_bound_has_no_trailing_zeros() -> None:
    assert (bound(-55.0, "kPa", 1), bound(36.7, "Cel", 2)) == ("−55 kPa", "36.7 °C")


def test_only_decimals_that_mean_something_are_printed() -> None:
    assert [decimals(noise, 50.0) for noise in (1.0, 0.03, 4.0, 400.0, 0.0)] == [1, 2, 0, 0, 2]


@pytest.mark.parametrize(
    ("ms", "zh", "en"),
    [
        (3.1 * 86400e3, "3.1 天", "3.1 days"),
        (40 * 3600e3, "40 小时", "40 hours"),
        (90 * 60e3, "90 分钟", "90 minutes"),
        (45e3, "45 秒", "45 seconds"),
    ],
)
def test_a_span_is_told_in_one_unit(ms: float, zh: str, en: str) -> None:
    assert span(ms) == (zh, en)

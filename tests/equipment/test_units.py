"""Units: converted where they mean the same, refused where they do not."""

import pytest

from equipment.catalog import COMPONENTS, MODELS, Metric
from equipment.units import SAME, WrongUnit, conversion

METRICS = [metric for model in MODELS.values() for metric in model.metrics]


@pytest.mark.parametrize(
    ("sent", "wanted", "value", "becomes"),
    [
        ("K", "Cel", 310.15, 37.0),
        ("[degF]", "Cel", 98.6, 37.0),
        ("mm[Hg]", "kPa", -525.0, -69.9943),
        ("mL", "uL", 0.4, 400.0),
        ("{SD}", "1", 2.0, 2.0),
        ("min", "h", 90.0, 1.5),
        ("kOhm.cm", "MOhm.cm", 16_000.0, 16.0),
    ],
)
def test_a_value_keeps_its_meaning(sent: str, wanted: str, value: float, becomes: float) -> None:
    factor, offset = conversion(sent, wanted)
    assert value * factor + offset == pytest.approx(becomes, rel=1e-5)


@pytest.mark.parametrize("sent", ["Cel", "", "nonsense!!", "[pH]", "(" * 1000, "\0", "{", "工单"])
def test_another_dimension_or_no_unit_at_all_is_refused(sent: str) -> None:
    with pytest.raises(WrongUnit):
        conversion(sent, "kPa")


@pytest.mark.parametrize(
    "sent", ["10*400", "10*9999999", "10*-400", "10*99.10*99.10*99.10*99", "10*30.1"]
)
def test_a_unit_beyond_all_proportion_is_refused_at_once(sent: str) -> None:
    with pytest.raises(WrongUnit):
        conversion(sent, "1")


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_every_metric_of_the_catalogue_has_a_ucum_unit_and_sane_bands(metric: Metric) -> None:
    assert conversion(metric.unit, metric.unit) == SAME
    assert conversion(metric.unit, metric.unit.strip()) == SAME
    assert metric.component in COMPONENTS
    for (warn, fail), sign in zip(zip(metric.warn, metric.fail, strict=True), (-1, 1), strict=True):
        assert (warn is None) == (fail is None)
        if warn is not None and fail is not None:
            assert sign * warn <= sign * fail
            assert sign * metric.nominal <= sign * warn

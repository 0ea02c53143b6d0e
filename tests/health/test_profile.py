"""A profile is read with its units; what is wrong with it is said with file, line and field."""

from importlib.resources import files
from pathlib import Path

import pytest

from equipment.catalog import MODELS
from health.document import ProfileError
from health.profile import SHIPPED, load
from health.rules import RULES
from tests.health import given_readings as readings

HEAD = "model: CHEM\nversion: 1\nbucket: 30 min\nrules:\n"
PAIR = "limit: {raise: 1 kPa, clear: 2 kPa}}\n"
ROW = HEAD + "  - {metric: wash_vacuum, severity: warning, "


def test_every_model_of_the_catalogue_has_a_shipped_profile() -> None:
    assert set(SHIPPED) == set(MODELS)
    assert all(profile.model is MODELS[code] for code, profile in SHIPPED.items())


def test_every_metric_with_a_bound_is_watched() -> None:
    for profile in SHIPPED.values():
        watched = {row.metric for row in profile.rules}
        bounded = {m.name for m in profile.model.metrics if m.fail != (None, None)}
        assert bounded <= watched


def test_every_kind_of_rule_is_used_by_a_shipped_profile() -> None:
    used = {row.kind for profile in SHIPPED.values() for row in profile.rules}
    assert used == {rule.kind for rule in RULES}


def test_parameters_are_converted_to_the_metrics_unit() -> None:
    text = ROW + "limit: {raise: -62000 Pa, clear: -0.64 bar, for: 0.5 h}}\n"
    [row] = load(text, "p.yaml").rules
    assert row.parameters["raise"] == pytest.approx(-62.0)
    assert row.parameters["clear"] == pytest.approx(-64.0)
    assert row.parameters["for"] == 1_800_000
    assert row.id == "wash_vacuum.limit"


def test_a_difference_of_temperatures_is_scaled_and_not_shifted() -> None:
    ewma = "ewma: {span: 24 h, baseline: 48 h, least: 0.18 '[degF]'}}\n"
    text = (
        HEAD
        + "  - {metric: ambient_temp, severity: info, "
        + ewma.replace("0.18 '[degF]'", "'0.18 [degF]'")
    )
    [row] = load(text, "p.yaml").rules
    assert row.parameters["least"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "p.yaml:1: document: is empty"),
        ("model: CHEM\nversion: [\n", "p.yaml:3: document:"),
        ("model: CHEM\nmodel: IMMU\n", "p.yaml:2: document: model twice"),
        (HEAD.replace("CHEM", "XYZ") + "  []\n", "p.yaml:1: model: 'XYZ' is not"),
        (HEAD.replace("version: 1", "version: one") + "  []\n", "p.yaml:2: version: expected"),
        (HEAD.replace("30 min", "30") + "  []\n", "p.yaml:3: bucket: 30 is not a duration"),
        (ROW + "limt: {}}\n", "p.yaml:5: rules[0].limt: unknown field"),
        (ROW + "limit: {raise: -62 kPa}}\n", "p.yaml:5: rules[0].limit: field clear"),
        (ROW + "limit: {raise: -62, clear: -64 kPa}}\n", "limit.raise: -62 has no unit"),
        (ROW + "limit: {raise: -62 V, clear: -64 kPa}}\n", "unit 'V' cannot be read"),
        (ROW + "limit: {raise: -62 kPa, clear: -62 kPa}}\n", "limit: clear equals raise"),
        (ROW.replace("warning", "bad") + "limit: {}}\n", "rules[0].severity: 'bad'"),
        (ROW.replace("wash_", "") + "limit: {}}\n", "CHEM has no metric 'vacuum'"),
        (ROW + "state: BAD, " + PAIR, "rules[0].state: 'BAD'"),
        (ROW + "ewma: {span: 1 h, baseline: 90 d, least: 1 kPa}}\n", "4320 buckets"),
        (ROW + PAIR + (ROW + PAIR).removeprefix(HEAD), "p.yaml:6: rules[1]: id"),
        (HEAD + "  - &a [*a]\n", "p.yaml:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(text, "p.yaml")
    assert says in str(caught.value)


def test_a_model_that_nobody_described_brings_its_own_metrics() -> None:
    profile = readings.bench()
    assert profile.model.code == "BENCH"
    assert profile.model.metrics[0].title.zh == "压力"
    assert profile.name == "BENCH/3"


def test_the_example_of_the_documentation_loads() -> None:
    example = Path(str(files("health"))).parent / "docs" / "examples" / "pump_bench.yaml"
    profile = load(example.read_text("utf-8"), example.name)
    assert len(profile.model.metrics) == 8

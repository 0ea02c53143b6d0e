"""The bank says the same however it is fed."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from equipment.reading import AHEAD, HISTORICAL, Batch, Block, Note
from health.alarm import Alarm
from health.bank import Bank
from tests.health import given_readings as readings

DEVICES = ("D0", "D1", "D2")
WIDTHS = (("pressure", "current"), ("current", "pressure"), ("pressure",))


def _rows(seed: int, count: int) -> list[Block | Note]:
    """Readings of three pumps that glitch, drift and fall silent, one row or note at a time."""
    random = np.random.default_rng(seed)
    at = dict.fromkeys(DEVICES, readings.START_MS)
    drift = dict.fromkeys(DEVICES, 0.0)
    rows: list[Block | Note] = []
    for _ in range(count):
        device = DEVICES[random.integers(3)]
        at[device] += int(
            random.choice([1000, 1000, 1000, 2000, 90_000], p=[0.4, 0.3, 0.2, 0.09, 0.01])
        )
        drift[device] += random.choice([0.0, 0.4, -1.0], p=[0.5, 0.35, 0.15])
        if random.random() < 0.01:
            rows.append(
                readings.maintenance(device, at[device], random.choice(["pump", "motor", ""]))
            )
            drift[device] = 0.0
            continue
        pressure = drift[device] + random.normal() + 50 * (random.random() < 0.01)
        values = {"pressure": pressure, "current": random.normal() - 6 * (random.random() < 0.02)}
        names = WIDTHS[random.integers(len(WIDTHS))]
        rows.append(readings.block(names, [(device, at[device], [values[n] for n in names])]))
    return rows


def _joined(rows: list[Block | Note]) -> Batch:
    """One batch: rows with the same metrics in one block."""
    groups: dict[tuple[str, ...], list[tuple[str, int, list[float]]]] = {}
    for row in rows:
        if isinstance(row, Block):
            entry = (row.devices[0], int(row.at_ms[0]), list(row.values[0]))
            groups.setdefault(row.metrics, []).append(entry)
    blocks = [readings.block(metrics, entries) for metrics, entries in groups.items()]
    return Batch(blocks, [row for row in rows if isinstance(row, Note)])


def _said(alarms: list[Alarm]) -> list[Alarm]:
    return sorted(
        alarms, key=lambda a: (a.cleared_at or a.raised_at, a.id, a.cleared_at is not None)
    )


def _bank() -> Bank:
    return readings.bank(readings.bench(), *DEVICES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_the_alarms_do_not_depend_on_how_readings_are_batched(seed: int, cuts: list[int]) -> None:
    rows = _rows(seed, 900)
    one_by_one, batched = _bank(), _bank()
    expected = [alarm for row in rows for alarm in one_by_one.step(_joined([row]))]
    said, start = [], 0
    for cut in [*cuts, len(rows)]:
        said += batched.step(_joined(rows[start : start + cut]))
        start += cut
    assert _said(said) == _said(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 900))
def test_a_restored_bank_goes_on_as_if_it_had_never_stopped(seed: int, stop: int) -> None:
    rows = _rows(seed, 900)
    whole, first = _bank(), _bank()
    expected = whole.step(_joined(rows[:stop])) + whole.step(_joined(rows[stop:]))
    said = first.step(_joined(rows[:stop]))
    second = readings.bank(readings.bench(), "new", *reversed(DEVICES))
    second.restore(first.snapshot())
    said += second.step(_joined(rows[stop:]))
    assert said == expected
    assert second.active() == whole.active()
    assert second.not_newer == whole.not_newer


def test_the_random_pumps_raise_and_clear_alarms_of_every_kind() -> None:
    alarms = [a for seed in range(5) for a in _bank().step(_joined(_rows(seed, 900)))]
    assert {a.evidence["rule"] for a in alarms} == {"limit/1", "trend/1", "ewma/1"}
    assert any(a.cleared_at for a in alarms)


def test_a_reading_that_is_not_newer_is_ignored_and_counted() -> None:
    bank = _bank()
    rows = [("D0", readings.START_MS, [1.0]), ("D0", readings.START_MS, [99.0])]
    assert bank.step(Batch([readings.block(["pressure"], rows)])) == []
    bank.step(Batch([readings.block(["pressure"], [("D0", readings.START_MS - 1000, [99.0])])]))
    assert bank.not_newer == 2


def test_unknown_devices_and_metrics_are_not_judged() -> None:
    bank = _bank()
    block = readings.block(["pressure", "smell"], [("X", readings.START_MS, [99.0, 1.0])])
    assert bank.step(Batch([block])) == []


def test_a_device_can_come_later() -> None:
    bank = _bank()
    rows = [("later", readings.START_MS + 1000 * n, [99.0]) for n in range(10)]
    bank.step(Batch([readings.block(["pressure"], rows[:2])]))
    bank.add("later", "BENCH")
    [alarm] = bank.step(Batch([readings.block(["pressure"], rows[2:])]))
    assert alarm.device == "later"


def test_history_is_judged_alike_and_marked() -> None:
    rows = [("D0", readings.START_MS + 1000 * n, [99.0]) for n in range(10)]
    [now] = _bank().step(Batch([readings.block(["pressure"], rows)]))
    [then] = _bank().step(Batch([readings.block(["pressure"], rows, lateness=HISTORICAL)]))
    assert then.evidence["historical"] is True
    assert replace(then, evidence=now.evidence) == now


def test_a_changed_profile_starts_afresh() -> None:
    bank = _bank()
    rows = [("D0", readings.START_MS + 1000 * n, [99.0]) for n in range(10)]
    bank.step(Batch([readings.block(["pressure"], rows)]))
    other = readings.load(readings.BENCH.replace("version: 3", "version: 4"), "bench.yaml")
    changed = readings.bank(other, *DEVICES)
    changed.restore(bank.snapshot())
    assert changed.active() == []


def test_a_reading_ahead_of_our_clock_is_not_judged_and_holds_up_no_later_one() -> None:
    early = [("D0", readings.START_MS + 3_600_000 + n * 1000, [99.0]) for n in range(20)]
    right = [("D0", readings.START_MS + n * 1000, [99.0]) for n in range(20)]
    bank = _bank()
    assert bank.step(Batch([readings.block(["pressure"], early, lateness=AHEAD)])) == []
    [alarm] = bank.step(Batch([readings.block(["pressure"], right)]))
    assert alarm.rule == "pressure.limit"
    assert bank.not_newer == 0

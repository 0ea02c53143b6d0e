"""A long window tells the same from summaries as from the readings themselves."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipment.reading import Batch
from storage.buckets import CELL_MS, buckets
from storage.columns import decode
from storage.interface import Series
from storage.memory import MemoryTelemetry
from storage.sqlite import SqliteTelemetry
from storage.summary import summarized, unpacked
from tests.storage.given_telemetry import T0, block

HOUR = 3_600_000
SETS = (("temp", "vacuum", "flow"), ("temp",), ("flow", "duty"))


def run(start, count, step_ms, metrics, *, seed=0, wild=False):
    """``count`` readings, one every ``step_ms``, from ``start`` ms after T0 on."""
    values = np.random.default_rng(seed).normal(-3.0, 40.0, (count, len(metrics)))
    rounded = values * 1e305 if wild else np.round(values, 2)
    rows = [("A", start + i * step_ms, rounded[i].tolist()) for i in range(count)]
    return Batch([block(rows, *metrics)])


runs = st.builds(
    run,
    st.integers(-100, 200).map(lambda at: at * 60_000),
    st.integers(1, 200),
    st.sampled_from([1_000, 10_000, 30_000, 60_000]),
    st.sampled_from(SETS),
    seed=st.integers(0, 99),
    wild=st.booleans(),
)
spans = st.tuples(
    st.integers(-110 * 60, 210 * 60).map(lambda at: at * 1000),
    st.integers(1, 24).map(lambda hours: hours * HOUR),
    st.integers(1, 100),
)
actions = st.one_of(runs, runs, runs, spans, st.integers(-90, 100))


def tell_the_same(mine, other, start, length, points):
    span = T0 + start, T0 + start + length, points
    names = ["temp", "vacuum", "flow", "duty", "none"]
    found, expected = mine.window("A", names, *span), other.window("A", names, *span)
    assert found.keys() == expected.keys()
    for metric, window in expected.items():
        assert found[metric].at_ms.tolist() == window.at_ms.tolist()
        assert found[metric].low.tolist() == window.low.tolist()
        assert found[metric].high.tolist() == window.high.tolist()
        scale = np.abs(window.low).max() + np.abs(window.high).max() / 1e3
        assert found[metric].mean == pytest.approx(window.mean, rel=1e-9, abs=scale * 1e-12)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(actions, max_size=15), st.sampled_from([20, 100]), st.sampled_from([20, 100]))
def test_whatever_came_late_or_twice_a_window_tells_the_same(
    tmp_path_factory, todo, chunk_rows, full_rows
):
    path, memory = tmp_path_factory.mktemp("t") / "t.db", MemoryTelemetry()
    with closing(SqliteTelemetry(path, chunk_rows=chunk_rows, full_rows=full_rows)) as store:
        for action in todo:
            match action:
                case Batch():
                    assert store.append(action) == memory.append(action)
                case (start, length, points):
                    tell_the_same(store, memory, start, length, points)
                case int():
                    assert store.roll(T0 + action * 60_000) >= memory.roll(T0 + action * 60_000)
        for points in (1, 7, 20):
            tell_the_same(store, memory, -123_456, 5 * HOUR, points)


def summaries(store):
    with store._tail.reading() as db:
        return db.execute("SELECT summary, blob FROM chunk ORDER BY id").fetchall()


def day(store, metrics=SETS[0]):
    for at in range(0, 24 * HOUR, HOUR // 4):
        store.append(run(at, 90, 10_000, metrics, seed=at))


def test_a_day_is_told_although_what_it_was_made_of_is_gone(tmp_path):
    """The chunks in the middle hold nothing any more but their summaries."""
    memory = MemoryTelemetry()
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=100, full_rows=720)) as store:
        for each in (store, memory):
            day(each)
        with store._tail.writing() as db:
            middle = "UPDATE chunk SET blob = x'' WHERE t0 > ? AND t1 < ? AND summary IS NOT NULL"
            assert db.execute(middle, (T0 + 2 * HOUR, T0 + 21 * HOUR)).rowcount > 5
        tell_the_same(store, memory, 1_234_567, 22 * HOUR, 30)


def test_a_summary_is_small_and_its_numbers_are_exact(tmp_path):
    with closing(SqliteTelemetry(tmp_path / "t.db", full_rows=720)) as store:
        day(store)
        full = [(summary, blob) for summary, blob in summaries(store) if summary is not None]
    assert len(full) > 5
    assert sum(len(summary) for summary, _ in full) < 0.15 * sum(len(blob) for _, blob in full)
    for summary, blob in full:
        (cells,) = unpacked(summary, {"vacuum", "none"})
        at_ms, values = decode(blob)["vacuum"]
        for i, number in enumerate(cells.numbers.tolist()):
            mine = values[at_ms // CELL_MS == number]
            low, high, mean = cells.told[:, 0, i].tolist()
            assert (cells.counts[i], low, high) == (len(mine), mine.min(), mine.max())
            assert mean == pytest.approx(mine.mean(), rel=1e-13)


def test_readings_that_are_far_apart_are_not_worth_a_summary():
    far, near = run(0, 100, 60_000, ["temp"]), run(0, 100, 10_000, ["temp"])
    for batch, worth in ((far, False), (near, True)):
        at_ms, values = batch.blocks[0].at_ms, batch.blocks[0].values
        series = {"temp": Series(at_ms, values[:, 0])}
        assert (summarized(series) is not None) is worth


def test_long_buckets_are_whole_tens_of_minutes_and_not_more_than_asked_for():
    for start, days, points in ((T0, 30, 500), (T0 + 1, 7, 13), (T0 - 599_999, 400, 2000)):
        end = start + days * 24 * HOUR
        first, width = buckets(start, end, points)
        assert first % CELL_MS == width % CELL_MS == 0
        assert start - CELL_MS < first <= start
        assert first + points * width >= end > first + (points * 0.9 - 2) * width


def test_a_file_without_summaries_is_taken_over(tmp_path):
    memory, path = MemoryTelemetry(), tmp_path / "t.db"
    with closing(SqliteTelemetry(path, chunk_rows=100, full_rows=720)) as store:
        for each in (store, memory):
            day(each)
        with store._tail.writing() as db:
            db.execute("ALTER TABLE chunk DROP COLUMN summary")
    with closing(SqliteTelemetry(path, chunk_rows=100, full_rows=720)) as store:
        for each in (store, memory):
            each.append(run(24 * HOUR, 200, 10_000, SETS[0]))
        assert {summary for summary, _ in summaries(store)} == {None}
        tell_the_same(store, memory, 0, 30 * HOUR, 20)

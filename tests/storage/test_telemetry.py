"""The contract every telemetry engine keeps. A new engine is one line of ENGINES."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from equipment.reading import AHEAD, Batch
from storage.interface import Backlog, Checkpoint, Telemetry
from storage.memory import MemoryTelemetry
from storage.sqlite import SqliteTelemetry
from tests.storage.given_influx import fresh_influx, fresh_influx2
from tests.storage.given_telemetry import EVER, T0, block, fleet, note, plain, readings

ENGINES = [
    pytest.param(lambda path, _: MemoryTelemetry(), id="memory"),
    pytest.param(lambda path, _: SqliteTelemetry(path), id="sqlite"),
    pytest.param(lambda path, _: SqliteTelemetry(path, chunk_rows=3), id="sqlite-sealing"),
    pytest.param(fresh_influx, id="influx", marks=pytest.mark.influx),
    pytest.param(fresh_influx2, id="influx2", marks=pytest.mark.influx2),
]


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    with closing(request.param(tmp_path / "t.db", request)) as opened:
        yield opened


def test_batches_are_numbered_from_one(store):
    assert [store.append(readings(("A", i, 1.0))) for i in range(3)] == [1, 2, 3]


def test_a_batch_without_anything_has_a_number_too(store):
    assert [store.append(Batch()), store.append(readings(("A", 0, 1.0)))] == [1, 2]


def test_readings_come_back_in_time_order(store):
    store.append(readings(("A", 30, 3.0), ("B", 10, 9.0), ("A", 10, 1.0)))
    store.append(readings(("A", 20, 2.0)))
    assert plain(store.raw("A", *EVER)) == {"temp": [(10, 1.0), (20, 2.0), (30, 3.0)]}


def test_the_last_write_of_an_instant_stays(store):
    store.append(readings(("A", 10, 1.0), ("A", 10, 2.0)))
    for value in range(3, 30):
        store.append(readings(("A", 10, float(value)), ("A", value, 0.0)))
    assert plain(store.raw("A", *EVER))["temp"][7] == (10, 29.0)
    assert store.last(["A"])["A"]["temp"] == (T0 + 29, 0.0)


def test_a_reading_of_the_future_is_kept_and_does_not_hide_later_ones(store):
    store.append(readings(("A", 10, 1.0)))
    early = block([("A", 90, [9.0]), ("B", 90, [9.0])], "temp", lateness=AHEAD)
    store.append(Batch([early]))
    assert store.last(["A", "B"]) == {"A": {"temp": (T0 + 10, 1.0)}}
    store.append(readings(("A", 20, 2.0)))
    assert store.last(["A"]) == {"A": {"temp": (T0 + 20, 2.0)}}
    assert plain(store.raw("A", *EVER))["temp"][-1] == (90, 9.0)


def test_the_last_write_stays_across_different_sets_of_metrics(store):
    rows = [("A", 10, [1.0, 2.0])], [("A", 10, [3.0])], [("A", 10, [4.0, 5.0])]
    sets = ("temp", "vacuum"), ("temp",), ("vacuum", "flow")
    store.append(Batch([block(r, *m) for r, m in zip(rows, sets, strict=True)]))
    found = {"temp": [(10, 3.0)], "vacuum": [(10, 4.0)], "flow": [(10, 5.0)]}
    assert plain(store.raw("A", *EVER)) == found
    store.append(Batch([block([("A", 10, [6.0])], "vacuum"), block([("A", 10, [7.0])], "temp")]))
    assert plain(store.raw("A", *EVER)) == {**found, "temp": [(10, 7.0)], "vacuum": [(10, 6.0)]}


def test_a_range_includes_its_start_and_not_its_end(store):
    store.append(readings(*[("A", at, float(at)) for at in range(5)]))
    assert plain(store.raw("A", T0 + 1, T0 + 3)) == {"temp": [(1, 1.0), (2, 2.0)]}
    assert not store.raw("A", T0 + 5, T0 + 9)
    assert not store.raw("A", T0 + 3, T0 + 1)


def test_only_the_metrics_asked_for_are_read(store):
    store.append(Batch([block([("A", 0, [1.0, 2.0, 3.0])], "temp", "vacuum", "flow")]))
    assert set(store.raw("A", *EVER, ["flow", "temp", "humidity"])) == {"temp", "flow"}


def test_an_unknown_device_has_no_readings(store):
    store.append(readings(("A", 0, 1.0)))
    assert not store.raw("Z", *EVER)
    assert not store.window("Z", ["temp"], T0, T0 + 10, 5)
    assert not store.last(["Z"])
    assert not store.notes("Z", *EVER)


def test_last_is_the_newest_by_event_time_whatever_came_last(store):
    store.append(readings(("A", 50, 5.0), ("B", 7, 7.0), ("A", 60, 6.0), ("A", 20, 2.0)))
    store.append(readings(("A", 40, 4.0), metric="vacuum"))
    store.append(readings(("A", 30, 3.0), ("B", 7, 8.0)))
    assert store.last(["A", "B", "A", "Z"]) == {
        "A": {"temp": (T0 + 60, 6.0), "vacuum": (T0 + 40, 4.0)},
        "B": {"temp": (T0 + 7, 8.0)},
    }


@pytest.mark.parametrize(
    "value", [0.1 + 0.2, -0.0, 5e-324, 1.7e308, -1.7e308, 2.0**53 + 2, 1e-9, 123456789.123456]
)
def test_every_finite_value_comes_back_exactly(store, value):
    values = [1.25, value, -3.5, value, 7.0]
    for at in range(0, 20, 5):
        store.append(readings(*[("A", at + i, v) for i, v in enumerate(values)]))
    found = store.raw("A", *EVER)["temp"].values
    assert found.tolist() == values * 4


def test_metrics_may_have_different_periods(store):
    for i in range(40):
        slow = [block([("A", i * 10, [float(-i)])], "humidity")] if i % 6 == 0 else []
        store.append(Batch([block([("A", i * 10, [i + 0.5, 1.0])], "temp", "vacuum"), *slow]))
    found = plain(store.raw("A", *EVER))
    assert found["temp"] == [(i * 10, i + 0.5) for i in range(40)]
    assert found["humidity"] == [(i * 10, float(-i)) for i in range(0, 40, 6)]


def test_a_day_that_arrives_late_is_put_in_its_place(store):
    for i in range(20):
        store.append(readings(("A", 100_000 + i, 2.0)))
    late = [("A", i, 1.0) for i in range(100)]
    store.append(readings(*late[50:]))
    store.append(readings(*late[:50], ("A", 100_003, 9.0)))
    for i in range(20, 40):
        store.append(readings(("A", 100_000 + i, 2.0)))
    found = plain(store.raw("A", *EVER))["temp"]
    assert [at for at, _ in found] == [*range(100), *range(100_000, 100_040)]
    assert found[103] == (100_003, 9.0)


def test_every_device_of_a_fleet_keeps_its_own(store):
    rng = np.random.default_rng(1)
    sent = [fleet(7, i * 10_000, rng) for i in range(60)]
    for batch in sent:
        store.append(batch)
    for device in range(7):
        found = store.raw(f"D{device}", *EVER)
        expected = np.array([batch.blocks[0].values[device] for batch in sent])
        for column, metric in enumerate(("temp", "vacuum", "pressure")):
            assert found[metric].values.tolist() == expected[:, column].tolist()


def test_a_window_keeps_peaks(store):
    values = [1.0] * 100
    values[42] = 99.0
    store.append(readings(*[("A", i, v) for i, v in enumerate(values)]))
    window = store.window("A", ["temp"], T0, T0 + 100, 10)["temp"]
    assert (window.at_ms - T0).tolist() == list(range(0, 100, 10))
    assert window.high.tolist() == [1, 1, 1, 1, 99, 1, 1, 1, 1, 1]
    assert window.low.tolist() == [1.0] * 10
    assert window.mean[4] == pytest.approx(10.8)


def test_a_bucket_without_a_reading_is_left_out(store):
    store.append(readings(("A", 0, 1.0), ("A", 29, 2.0), ("A", 30, 4.0)))
    window = store.window("A", ["temp", "vacuum"], T0, T0 + 31, 3)
    assert set(window) == {"temp"}
    assert (window["temp"].at_ms - T0).tolist() == [0, 22]
    assert window["temp"].mean.tolist() == [1.0, 3.0]


def test_a_long_window_has_buckets_of_whole_tens_of_minutes(store):
    hours = [
        ("A", hour * 3_600_000 + minute * 60_000, float(hour))
        for hour in range(9)
        for minute in range(0, 60, 7)
    ]
    store.append(readings(*hours, ("A", 5_000_000, 99.0)))
    window = store.window("A", ["temp"], T0, T0 + 9 * 3_600_000, 10)["temp"]
    assert len(window.at_ms) <= 10
    assert set((window.at_ms % 600_000).tolist()) == {0}
    assert set(np.diff(window.at_ms).tolist()) == {3_600_000}
    assert window.high.max() == 99.0


def test_a_window_without_buckets_is_refused(store):
    with pytest.raises(ValueError, match="points is 0"):
        store.window("A", ["temp"], T0, T0 + 10, 0)


def test_notes_come_back_in_time_order_and_by_kind(store):
    birth = note("A", 5, "birth", fw="3.2.4", 名="生化")
    event = note("A", 3, "event", code="1007", ctx={"deep": [1, None, 2.5]})
    store.append(Batch(notes=[birth, note("B", 4), event]))
    store.append(Batch(notes=[note("A", 9, "maint")]))
    assert list(store.notes("A", *EVER)) == [event, birth, note("A", 9, "maint")]
    assert list(store.notes("A", *EVER, ["event", "maint"])) == [event, note("A", 9, "maint")]
    assert list(store.notes("A", T0 + 3, T0 + 9)) == [event, birth]


def test_a_note_that_is_sent_again_is_kept_once(store):
    for _ in range(2):
        store.append(Batch(notes=[note("A", 5, seq=7), note("A", 5, seq=8)]))
    assert list(store.notes("A", *EVER)) == [note("A", 5, seq=7), note("A", 5, seq=8)]


def test_rolling_forgets_what_is_older_and_nothing_else(store):
    for at in range(30):
        store.append(Batch(readings(("A", at, float(at)), ("B", 5, 1.0)).blocks, [note("A", at)]))
    store.roll(T0 + 20)
    store.append(readings(("A", 3, 3.0), ("A", 25, 99.0)))
    expected = [(at, 99.0 if at == 25 else float(at)) for at in range(20, 30)]
    assert plain(store.raw("A", *EVER)) == {"temp": expected}
    assert [n.at_ms - T0 for n in store.notes("A", *EVER)] == list(range(20, 30))
    assert not store.raw("B", *EVER)
    assert store.last(["A", "B"]) == {"A": {"temp": (T0 + 29, 29.0)}}


def test_a_checkpoint_replaces_the_one_before(store):
    assert store.checkpoint() is None
    store.keep_checkpoint(Checkpoint(1, b"one"))
    store.keep_checkpoint(Checkpoint(2, b"two"))
    assert store.checkpoint() == Checkpoint(2, b"two")


def test_batches_after_the_checkpoint_can_be_replayed_as_they_were(store):
    sent = []
    for i in range(40):
        rows = readings(("A", i, i / 3), ("B", -i, 0.1)).blocks
        sent.append(Batch(rows, [note("A", i)] if i % 3 == 0 else []))
        store.append(sent[-1])
        if i % 7 == 0:
            store.keep_checkpoint(Checkpoint(max(1, i - 5), b"x"))
    upto = store.checkpoint().upto
    replayed = list(store.batches(upto))
    assert [batch.id for batch in replayed] == list(range(upto + 1, 41))
    for batch, original in zip(replayed, sent[upto:], strict=True):
        assert list(batch.notes) == list(original.notes)
        for mine, theirs in zip(batch.blocks, original.blocks, strict=True):
            assert list(mine.readings()) == list(theirs.readings())
            assert list(mine.boots) == list(theirs.boots)
            assert mine.seqs.tolist() == theirs.seqs.tolist()
            assert mine.lateness.tolist() == theirs.lateness.tolist()


def test_nothing_waits_once_everything_is_in_its_place(store):
    store.append(readings(("A", 0, 1.0)))
    store.raw("A", *EVER)
    assert store.backlog() == Backlog(0, 0, None, "")

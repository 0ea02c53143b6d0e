"""Minutes and hours on the server: peaks survive, late readings count, a crash forgets no hour."""

import time
from contextlib import closing

import numpy as np
import pytest

from equipment.reading import Batch
from storage.buckets import windowed
from storage.dirty import HOUR_MS, DirtyHours
from storage.influx import InfluxTelemetry
from storage.influx_link import Link
from storage.influx_reader import InfluxReader
from storage.influx_setup import set_up
from storage.influx_window import overlaid
from storage.interface import Series
from storage.memory import MemoryTelemetry
from tests.storage.given_influx import register, server_1, server_2, settle
from tests.storage.given_telemetry import block

HOUR0 = 1_790_000_000_000 // HOUR_MS * HOUR_MS
DAY_MS = 24 * HOUR_MS


@pytest.fixture(
    params=[
        pytest.param(server_1, id="influx", marks=pytest.mark.influx),
        pytest.param(server_2, id="influx2", marks=pytest.mark.influx2),
    ]
)
def server(request):
    return request.param(request)


def opened(server, folder, every_s: float = 0.05) -> InfluxTelemetry:
    return InfluxTelemetry(server, folder, register, linger_s=0, roll_every_s=every_s)


def day(device: str, start_ms: int, every_ms: int = 20_000, seed: int = 1) -> Batch:
    """A day of two metrics from ``start_ms`` on, one peak in it."""
    n = DAY_MS // every_ms
    values = np.round(np.random.default_rng(seed).standard_normal((n, 2)), 2)
    values[n // 3, 0] = 99.0
    made = block([(device, 0, row) for row in values], "temp", "vacuum")
    made.at_ms[:] = start_ms + np.arange(n) * every_ms
    return Batch([made])


def until_rolled(store: InfluxTelemetry) -> None:
    settle(store)
    for _ in range(1500):
        if not store.to_roll_up:
            return
        time.sleep(0.02)
    pytest.fail(f"{store.to_roll_up} hours are not rolled up")


def made_without_rollups(server) -> None:
    """Make the bucket of readings only, as it was before there were roll-ups."""
    set_up(server, 400, 3650)
    with server.http() as http:
        if server.token:
            found = http.get("/api/v2/buckets", params={"name": server.rollups}).json()["buckets"]
            http.delete(f"/api/v2/buckets/{found[0]['id']}").raise_for_status()
        else:
            http.post(
                "/query", params={"q": f'DROP DATABASE "{server.rollups}"'}
            ).raise_for_status()


def rolled(server, measurement: str) -> list:
    with closing(Link(server, server.rollups)) as link:
        answers = link.ask(f'SELECT * FROM "{measurement}"')
    return [dict(zip(one.columns, row, strict=True)) for one in answers for row in one.values]


def test_minutes_and_hours_have_lowest_highest_mean_and_count(server, tmp_path):
    set_up(server, 400, 3650)
    rows = [("A", at, [float(at), -1.0]) for at in (0, 59_999, 60_000, 3_599_999, 3_600_000)]
    made = block(rows, "temp", "vacuum")
    made.at_ms[:] += HOUR0 - 1_790_000_000_000
    with closing(opened(server, tmp_path)) as store:
        store.append(Batch([made]))
        until_rolled(store)
    minutes = rolled(server, "CHEM_1m")
    assert [row["temp_count"] for row in minutes] == [2, 1, 1, 1]
    assert minutes[0] == {
        "time": HOUR0, "device": "A", "model": "CHEM", "site": "S1",
        "temp_min": 0, "temp_max": 59_999, "temp_mean": 29_999.5, "temp_count": 2,
        "vacuum_min": -1, "vacuum_max": -1, "vacuum_mean": -1, "vacuum_count": 2,
    }  # fmt: skip
    hours = rolled(server, "CHEM_1h")
    assert [(row["time"] - HOUR0, row["temp_max"]) for row in hours] == [
        (0, 3_599_999),
        (HOUR_MS, HOUR_MS),
    ]


def test_a_window_of_a_long_range_is_that_of_the_readings(server, tmp_path):
    set_up(server, 400, 3650)
    exact = MemoryTelemetry()
    span = HOUR0, HOUR0 + 3 * DAY_MS
    with (
        closing(opened(server, tmp_path)) as store,
        closing(InfluxReader(server, register)) as reader,
    ):
        for n in range(3):
            made = day("A", HOUR0 + n * DAY_MS, seed=n)
            exact.append(made)
            store.append(made)
        until_rolled(store)
        for points in (72, 300):
            expected = exact.window("A", ["temp", "vacuum"], *span, points)
            for one in (store, reader):
                found = one.window("A", ["temp", "vacuum"], *span, points)
                for metric in ("temp", "vacuum"):
                    assert found[metric].at_ms.tolist() == expected[metric].at_ms.tolist()
                    assert found[metric].high.max() == expected[metric].high.max()
                    assert np.allclose(
                        found[metric].mean.mean(), expected[metric].mean.mean(), atol=1e-3
                    )
        whole = store.window("A", ["temp"], *span, 72)["temp"]  # an hour a bucket: no minute is cut
        assert whole.high.tolist() == exact.window("A", ["temp"], *span, 72)["temp"].high.tolist()
        assert whole.low.tolist() == exact.window("A", ["temp"], *span, 72)["temp"].low.tolist()


def test_late_readings_are_rolled_up_too(server, tmp_path):
    set_up(server, 400, 3650)
    with closing(opened(server, tmp_path)) as store:
        store.append(day("A", HOUR0))
        until_rolled(store)
        late = block([("A", 0, [500.0])], "temp")
        late.at_ms[:] = HOUR0 + 5 * HOUR_MS + 1
        store.append(Batch([late]))
        until_rolled(store)
        window = store.window("A", ["temp"], HOUR0, HOUR0 + 2 * DAY_MS, 48)["temp"]
        assert window.high[5] == 500.0


def test_hours_not_rolled_up_are_known_after_a_restart(server, tmp_path):
    made_without_rollups(server)
    with closing(opened(server, tmp_path)) as store:
        store.append(day("A", HOUR0))
        settle(store)
        time.sleep(0.2)  # there is no bucket for roll-ups: they wait
        assert store.to_roll_up == 24
        window = store.window("A", ["temp"], HOUR0, HOUR0 + DAY_MS, 24)["temp"]
        assert window.high.max() == 99.0
        assert not store.backlog().why
    set_up(server, 400, 3650)
    with closing(opened(server, tmp_path)) as store:
        until_rolled(store)
    assert len(rolled(server, "CHEM_1h")) == 24
    with closing(opened(server, tmp_path)) as store:
        assert store.to_roll_up == 0


def test_readings_from_before_there_were_roll_ups_are_in_the_window_too(server, tmp_path):
    made_without_rollups(server)
    with closing(opened(server, tmp_path, every_s=60)) as store:
        store.append(day("A", HOUR0))
        settle(store)
    (tmp_path / "dirty").unlink()
    set_up(server, 400, 3650)
    with closing(opened(server, tmp_path)) as store:
        store.append(day("A", HOUR0 + DAY_MS))
        until_rolled(store)
        window = store.window("A", ["temp"], HOUR0, HOUR0 + 2 * DAY_MS, 48)["temp"]
        assert len(window.at_ms) == 48
        assert (window.high == 99.0).sum() == 2


def test_an_hour_is_due_when_it_was_quiet_for_a_while_and_again_when_more_comes():
    dirty = DirtyHours()
    made = block([("A", 0, [1.0]), ("B", 0, [1.0])], "temp")
    made.at_ms[:] = (5 * HOUR_MS, 6 * HOUR_MS + 1)
    dirty.mark([made], 100.0)
    assert dirty.take(99.0) is None
    assert dirty.take(100.0) == (5, ["A"])
    dirty.mark([made], 200.0)
    dirty.done(5)
    kept = DirtyHours(dirty.packed())
    assert [kept.take(0.0), kept.take(0.0), kept.take(0.0)] == [(5, ["A"]), (6, ["B"]), None]
    kept.give_back(6)
    assert kept.take(0.0) == (6, ["B"])


def test_buckets_with_readings_the_server_has_not_are_made_anew():
    at_ms = np.arange(0, 1000, 10)
    old = {"temp": Series(at_ms, np.zeros(100))}
    new = Series(np.array([5, 355, 995]), np.array([7.0, 8.0, 9.0]))
    everything = {
        "temp": Series(
            *map(
                np.array,
                zip(
                    *sorted([*zip(*old["temp"], strict=True), *zip(*new, strict=True)]), strict=True
                ),
            )
        )
    }

    def read(start, end):
        cut = (everything["temp"].at_ms >= start) & (everything["temp"].at_ms < end)
        return {"temp": Series(everything["temp"].at_ms[cut], everything["temp"].values[cut])}

    server = windowed(old, 0, 1000, 10)
    found = overlaid(server, [{"temp": new}], read, span=(0, 1000), points=10)["temp"]
    expected = windowed(everything, 0, 1000, 10)["temp"]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))

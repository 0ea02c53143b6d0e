"""A limit raises beyond one bound and clears behind another, each after a covered span."""

import pytest

from equipment.reading import Batch
from health.alarm import Severity
from tests.health import given_readings as readings


@pytest.mark.parametrize(
    ("values", "raised", "cleared"),
    [
        ([0, 0, 30, 0, 0, 0, 0, 0, 0, 0], None, None),  # one glitch
        ([0, 21, 22, 23, 22, 21, 20, 20], 6, None),  # held for five seconds
        ([0, 21, 17, 18, 19, 17, 18, 21], 7, None),  # between the two the time runs on
        ([0, 21, 17, 18, 14, 21, 21, 21, 21, 21], None, None),  # clear put it back
        ([21] * 7 + [14] * 6, 5, 12),
        ([21] * 7 + [14, 14, 14, 17, 14, 14, 14], 5, None),  # not clear for long enough
        ([21] * 7 + [14, 14, 14, 17] + [14] * 6, 5, 16),
    ],
)
def test_a_limit(values: list[float], raised: int | None, cleared: int | None) -> None:
    alarms = readings.alarms(readings.bank(readings.bench(), "D"), "pressure", values)
    seconds = [int(a.raised_at.timestamp() - readings.START_MS / 1000) for a in alarms[:1]]
    ended = [
        int(a.cleared_at.timestamp() - readings.START_MS / 1000) for a in alarms if a.cleared_at
    ]
    assert (seconds, ended) == ([raised] if raised else [], [cleared] if cleared else [])


def test_the_low_side_is_guarded_when_raise_is_below_clear() -> None:
    [alarm] = readings.alarms(
        readings.bank(readings.bench(), "D"), "current", [0, -4.5, -5.1, -4.5]
    )
    assert (alarm.rule, alarm.severity, alarm.state) == (
        "current.low",
        Severity.info,
        "CHECK_FUNCTION",
    )
    assert alarm.says.en == "current −5.10 A, below −5 A"


def test_a_gap_counts_neither_towards_raising_nor_towards_clearing() -> None:
    bank = readings.bank(readings.bench(), "D")

    def at(second: int, value: float) -> int:
        row = ("D", readings.START_MS + second * 1000, [value])
        return len(bank.step(Batch([readings.block(["pressure"], [row])])))

    assert [at(0, 21), at(3600, 21), at(3602, 21)] == [0, 0, 0]
    assert [at(3604, 21), at(3605, 21)] == [0, 1]
    assert [at(7200, 10), at(9000, 10), at(9004, 10), at(9005, 10)] == [0, 0, 0, 1]


def test_the_sentence_says_value_bound_and_time() -> None:
    [alarm] = readings.alarms(readings.bank(readings.bench(), "D"), "pressure", [21.44] * 7)
    assert alarm.says.zh == "压力 21.4 kPa，高于 20 kPa，已持续 5 秒"
    assert alarm.says.en == "pressure 21.4 kPa, above 20 kPa for 5 seconds"
    assert alarm.id == f"D:pressure.limit:{readings.START_MS + 5000}"


def test_maintenance_mutes_the_device_a_while() -> None:
    bank = readings.bank(readings.bench(), "D")
    rows = [("D", readings.START_MS + 1000 * n, [21.0]) for n in range(30)]
    note = readings.maintenance("D", readings.START_MS - 500, "pump")
    [alarm] = bank.step(Batch([readings.block(["pressure"], rows)], [note]))
    assert alarm.raised_at.timestamp() * 1000 == readings.START_MS + 25_000

"""The golden dates of the service plan, to the minute."""

import pytest

from aftersales.promises import PROMISES, ClockState, read
from tests.aftersales.given_care import SHANGHAI, WORKDAYS, end_of, local, told

GOLDEN = [
    ("C03", "2024-10-01 23:30", "2024-10-02 01:30"),
    ("C03", "2026-02-16 23:59", "2026-02-17 01:59"),
    ("C04", "2026-02-16 20:00", "2026-02-17 08:00"),
    ("C05", "2024-09-30 08:00", "24:00 2024-10-12"),
    ("C05", "2025-01-24 10:00", "24:00 2025-02-07"),
    ("C05", "2025-09-24 10:00", "24:00 2025-09-30"),
    ("C05", "2026-02-12 10:00", "24:00 2026-02-26"),
    ("C05", "2026-09-18 10:00", "24:00 2026-09-24"),
    ("C05", "2026-09-24 10:00", "24:00 2026-10-09"),
    ("C05", "2026-12-29 10:00", "24:00 2027-01-06"),
    ("C07", "2024-09-28 18:00", "24:00 2024-10-03"),
    ("C24", "2024-09-01 10:00", "24:00 2024-10-08"),
    ("C24", "2024-08-14 10:00", "24:00 2024-09-13"),
    ("C25", "2024-02-29 10:00", "24:00 2026-02-28"),
    ("C25", "2024-09-10 10:00", "24:00 2026-09-10"),
    ("C25", "2024-10-05 10:00", "24:00 2026-10-08"),
    ("C27", "2026-09-28 10:00", "24:00 2026-10-05"),
]


@pytest.mark.parametrize(("code", "start", "due"), GOLDEN)
def test_a_clock_is_due_when_the_plan_says(code: str, start: str, due: str) -> None:
    promise = PROMISES[code]
    began = local(start)
    clock = read(promise, told((promise.starts[0], began)), WORKDAYS, began, SHANGHAI)
    assert clock.state is ClockState.RUNNING
    assert clock.start == began
    assert clock.due == (end_of(due[6:]) if due.startswith("24:00") else local(due))
    assert clock.provisional == (due == "24:00 2027-01-06")

"""A problem that cannot be meant is refused, and the text names the field and its value."""

from datetime import datetime

import pytest

from scheduler.plan import Break, ImpossibleProblem, Place, Shift, Technician
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from tests.scheduler.given_day import CITY, NOW, at, lunch, request, shift, technician

NAIVE = datetime(2026, 11, 24, 8)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Place(91.0, 0.0), "latitude 91.0 is outside -90..90"),
        (lambda: Place(float("nan"), 0.0), "latitude nan"),
        (lambda: Place(0.0, -180.5), "longitude -180.5 is outside -180..180"),
        (lambda: shift("17:00", "08:00"), "end_at 2026-11-24 00:00:00+00:00 is not after start_at"),
        (lambda: Shift(NAIVE, at("17:00")), "start_at 2026-11-24 08:00:00 has no time zone"),
        (lambda: shift("08:00", "17:00", lunch("07:00", "09:00")), "break from_at"),
        (lambda: shift("08:00", "12:00", lunch()), "break to_at"),
        (lambda: shift("08:00", "17:00", lunch(), lunch("13:00", "14:00")), "the break before it"),
        (lambda: Break(at("12:00"), at("13:00"), 0), "duration_s 0 is not above 0"),
        (lambda: Break(at("12:00"), at("13:00"), 3601), "duration_s 3601 does not fit"),
        (lambda: request(duration_s=0), "visit request V1: duration_s 0 is not above 0"),
        (lambda: request(duration_s=-5), "duration_s -5"),
        (lambda: request(priority=4), "priority 4 is not 1, 2 or 3"),
        (lambda: request(promised_by=NAIVE), "promised_by 2026-11-24 08:00:00 has no time zone"),
        (lambda: request(earliest_at=NAIVE), "earliest_at"),
        (lambda: request(started=True), "pinned_to is missing"),
        (lambda: request(pinned_at=at("09:00")), "pinned_to is missing"),
        (lambda: request(id=""), "visit request: id is empty"),
        (lambda: Technician("", CITY), "technician: id is empty"),
        (lambda: technician(free_at=NAIVE), "technician A: free_at"),
        (lambda: technician(shifts=(shift(), shift("17:00", "18:00"))), "technician A: shifts"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(make, says):
    with pytest.raises(ImpossibleProblem) as error:
        make()
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("requests", "technicians", "now", "says"),
    [
        ([request()], [], NOW, "technicians: none, for 1 visit requests"),
        ([request(), request()], [technician()], NOW, "visit request: id V1 is there twice"),
        ([], [technician(), technician()], NOW, "technician: id A is there twice"),
        ([], [technician()], NAIVE, "now 2026-11-24 08:00:00 has no time zone"),
    ],
)
def test_a_day_that_cannot_be_meant_is_named(requests, technicians, now, says):
    with pytest.raises(ImpossibleProblem) as error:
        plan_day(requests, technicians, crow_flies(), now=now)
    assert says in str(error.value)


@pytest.mark.parametrize("technicians", [[], [technician()]])
def test_nothing_to_do_is_an_empty_plan(technicians):
    plan = plan_day([], technicians, crow_flies(), now=NOW)
    assert (plan.routes, plan.unserved, plan.cost) == ((), (), 0)

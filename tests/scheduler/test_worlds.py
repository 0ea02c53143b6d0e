"""No plan breaks a rule, whatever the day looks like; the checker knows nothing of the solver."""

import pickle
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.check import violations
from scheduler.cost import costs
from scheduler.plan import Break, Shift, Technician, VisitRequest
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from tests.scheduler.given_day import FAMILIES, NOW, near

FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TRAVEL = crow_flies()


class Crooked:
    """Roads with one-way streets and detours that are shorter than the direct way."""

    def seconds(self, places):
        return np.random.default_rng(len(places)).integers(0, 5000, (len(places), len(places)))


places = st.builds(near, st.integers(-60, 60), st.integers(-60, 60))


def instants(first_min: int, last_min: int):
    return st.integers(first_min * 60, last_min * 60).map(lambda s: NOW + timedelta(seconds=s))


@st.composite
def shifts(draw) -> Shift:
    start_at = draw(instants(-300, 300))
    length = draw(st.integers(60, 600))
    end_at = start_at + timedelta(minutes=length)
    if not draw(st.booleans()):
        return Shift(start_at, end_at)
    first = draw(st.integers(0, length - 30))
    span = draw(st.integers(15, length - first))
    rest = Break(
        start_at + timedelta(minutes=first),
        start_at + timedelta(minutes=first + span),
        60 * draw(st.integers(1, span)),
    )
    return Shift(start_at, end_at, (rest,))


@st.composite
def teams(draw) -> list[Technician]:
    return [
        Technician(
            f"T{i}",
            draw(places),
            shifts=_apart(draw(st.lists(shifts(), max_size=2))),
            certificates=draw(
                st.dictionaries(
                    st.sampled_from(FAMILIES), st.dates(date(2026, 11, 20), date(2026, 12, 1))
                )
            ),
            at=draw(st.none() | places),
            free_at=draw(st.none() | instants(-60, 200)),
        )
        for i in range(draw(st.integers(1, 3)))
    ]


def _apart(found: list[Shift]) -> tuple[Shift, ...]:
    """Move the second shift a day on, so that shifts never overlap."""
    day = timedelta(days=1)
    return tuple(
        Shift(
            s.start_at + day * i,
            s.end_at + day * i,
            tuple(Break(b.from_at + day * i, b.to_at + day * i, b.duration_s) for b in s.breaks),
        )
        for i, s in enumerate(found)
    )


@st.composite
def wishes(draw, team: list[Technician]) -> list[VisitRequest]:
    asked = []
    for i in range(draw(st.integers(0, 9))):
        pinned_to = draw(st.none() | st.sampled_from([*(t.id for t in team), "nobody"]))
        started = pinned_to is not None and draw(st.integers(0, 3)) == 0
        pinned_at = None
        if pinned_to is not None and draw(st.booleans()):
            pinned_at = draw(instants(-120, 0) if started else instants(-60, 500))
        asked.append(
            VisitRequest(
                f"V{i}",
                draw(places),
                draw(st.integers(1, 200)) * 60,
                family=draw(st.none() | st.sampled_from(FAMILIES)),
                earliest_at=draw(st.none() | instants(-100, 2000)),
                promised_by=draw(st.none() | instants(-100, 500)),
                contractual=draw(st.booleans()),
                priority=draw(st.sampled_from((1, 2, 3))),
                pinned_to=pinned_to,
                pinned_at=pinned_at,
                started=started,
            )
        )
    return asked


@FEW
@given(st.data())
def test_no_plan_breaks_a_rule(data):
    team = data.draw(teams())
    asked = data.draw(wishes(team))
    now = NOW + timedelta(microseconds=data.draw(st.sampled_from((0, 1, 500_000))))
    travel = data.draw(st.sampled_from((TRAVEL, Crooked())))
    plan = plan_day(asked, team, travel, now=now, limit_s=0.1)
    assert violations(plan, asked, team, travel, now) == []
    assert plan.costs == costs(plan, asked)
    assert plan.cost == sum(plan.costs.values())
    assert pickle.loads(pickle.dumps(plan)) == plan


@FEW
@given(st.data())
def test_a_day_is_planned_again_and_still_breaks_no_rule(data):
    team = data.draw(teams())
    asked = data.draw(wishes(team))
    first = plan_day(asked, team, TRAVEL, now=NOW, limit_s=0.05)
    later = NOW + timedelta(minutes=data.draw(st.integers(0, 300)))
    asked = [_went_on(request, first, later) for request in asked]
    second = plan_day(asked, team, TRAVEL, now=later, limit_s=0.05, published=first)
    assert violations(second, asked, team, TRAVEL, later) == []
    assert second.costs == costs(second, asked, first)


def _went_on(request: VisitRequest, plan, later) -> VisitRequest:
    """Return a request as it is at ``later``: what should have begun has begun."""
    found = plan.stop(request.id)
    if found is None or request.started or found[1].start_at > later:
        return request
    return replace(request, started=True, pinned_to=found[0], pinned_at=found[1].start_at)

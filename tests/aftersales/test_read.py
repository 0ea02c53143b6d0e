"""What must hold for every promise, every history and every instant."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aftersales.deadline import Limit, Unit, last_day_of
from aftersales.journal import Event
from aftersales.promises import (
    FINAL,
    PROMISES,
    Clock,
    ClockState,
    Promise,
    next_change,
    read,
    warnings,
)
from tests.aftersales.given_care import DAY, SHANGHAI, WORKDAYS, draft, journal, local

BEGIN = local("2024-09-20 09:00")
LEAST = {
    Unit.MINUTES: timedelta(minutes=1),
    Unit.HOURS: timedelta(hours=1),
    Unit.DAYS: DAY,
    Unit.WORKDAYS: DAY,
    Unit.MONTHS: 28 * DAY,
    Unit.YEARS: 365 * DAY,
}
WHAT = {
    "began": {},
    "ended": {},
    "void": {},
    "promise.held": {"promise": "C", "reason": "no_access", "consent": "I-1"},
    "promise.resumed": {"promise": "C"},
    "promise.waived": {"promise": "C", "consent": "I-2"},
}
CODED = {"promise.held", "promise.resumed", "began"}

instants = st.one_of(
    st.integers(0, 30 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes)),
    st.integers(0, 40).map(lambda days: local("2024-09-21 00:00") + days * DAY),
)
limits = st.builds(
    Limit,
    st.integers(1, 12),
    st.sampled_from([Unit.MINUTES, Unit.HOURS, Unit.HOURS, Unit.DAYS, Unit.WORKDAYS, Unit.MONTHS]),
    st.booleans(),
)


@st.composite
def promises(draw: st.DrawFn) -> Promise:
    limit = draw(limits)
    return replace(
        PROMISES["C04"],
        code="C",
        starts=("began",),
        stops=draw(st.sampled_from([("ended",), ("ended",), ()])),
        voids=("void",),
        waivable=draw(st.booleans()),
        holds=draw(st.sampled_from([frozenset({"no_access"}), frozenset()])),
        limit=limit._replace(roll=limit.roll and limit.unit in (Unit.DAYS, Unit.MONTHS)),
        warn_at=(0.5, 0.75),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    kinds = draw(st.sampled_from([sorted(WHAT), sorted(CODED)]))
    rows = draw(st.lists(st.tuples(st.sampled_from(kinds), instants), max_size=8))
    rows = [("began", draw(instants)), *rows]
    return journal(*(draft(type, at, **WHAT[type]) for type, at in rows))


def clock(promise: Promise, events: list[Event], now: datetime) -> Clock:
    return read(promise, events, WORKDAYS, now, SHANGHAI)


@given(promises(), histories(), instants, st.randoms())
def test_the_order_of_telling_does_not_matter(promise, events, now, random) -> None:
    shuffled = random.sample(events, len(events))
    assert clock(promise, shuffled, now) == clock(promise, events, now)


@given(promises(), histories(), instants)
def test_nobody_gets_less_time_than_promised(promise, events, now) -> None:
    seen = clock(promise, events, now)
    if seen.start is not None:
        assert seen.due >= seen.start + promise.limit.n * LEAST[promise.limit.unit]


@given(promises(), histories(), instants, instants)
def test_due_never_moves_backwards(promise, events, one, other) -> None:
    before, after = (clock(promise, events, now) for now in sorted((one, other)))
    if before.due is not None:
        assert after.start == before.start
        assert after.due >= before.due


@given(promises(), histories(), instants, instants)
def test_a_verdict_is_final(promise, events, one, other) -> None:
    before, after = (clock(promise, events, now) for now in sorted((one, other)))
    if before.state in FINAL:
        assert after == before


@given(promises(), histories(), instants, instants)
def test_overdue_only_ever_becomes_missed(promise, events, one, other) -> None:
    before, after = (clock(promise, events, now) for now in sorted((one, other)))
    if before.state is ClockState.OVERDUE:
        assert after.state in {ClockState.OVERDUE, ClockState.MISSED}
        assert after.due == before.due


@given(promises(), histories(), instants)
def test_the_state_agrees_with_the_instants(promise, events, now) -> None:
    seen = clock(promise, events, now)
    match seen.state:
        case ClockState.IDLE:
            assert seen == Clock("C", ClockState.IDLE)
        case ClockState.RUNNING | ClockState.HELD:
            assert seen.start <= now < seen.due
        case ClockState.OVERDUE:
            assert seen.due <= now
        case ClockState.MISSED:
            assert seen.due < seen.stop <= now
        case _:
            assert seen.start <= seen.stop <= min(seen.due, now)
    assert (seen.held_since is not None) == (seen.state is ClockState.HELD)
    assert (seen.stop is not None) == (seen.state in FINAL)


@given(promises(), histories(), instants)
def test_elapsing_time_is_extended_by_exactly_what_it_was_held(promise, events, now) -> None:
    seen = clock(promise, events, now)
    if seen.start is not None and promise.limit.elapses:
        span = promise.limit.n * LEAST[promise.limit.unit]
        assert seen.due == seen.start + span + timedelta(seconds=seen.held_s)


@given(instants, st.integers(1, 30))
def test_working_days_end_on_a_working_day_with_exactly_n_of_them_between(start, n) -> None:
    promise = replace(PROMISES["C05"], limit=Limit(n, Unit.WORKDAYS))
    due = clock(promise, journal(draft("repair.overran", start)), start).due
    assert due is not None
    first, last = start.astimezone(SHANGHAI).date(), last_day_of(due, SHANGHAI)
    assert WORKDAYS.works(last)
    assert WORKDAYS.count(first + DAY, last + DAY) == n


@given(histories(), instants, st.integers(1, 12))
def test_held_working_days_still_end_on_a_working_day(events, now, n) -> None:
    holds = frozenset({"no_access"})
    promise = replace(
        PROMISES["C05"], code="C", starts=("began",), stops=("ended",), voids=(),
        holds=holds, limit=Limit(n, Unit.WORKDAYS),
    )  # fmt: skip
    seen = clock(promise, events, now)
    if seen.due is not None:
        assert WORKDAYS.works(last_day_of(seen.due, SHANGHAI))


@given(promises(), histories(), instants, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_next_change_unless_something_happens(
    promise, events, now, part
) -> None:
    known = [event for event in events if event.at <= now]
    seen = clock(promise, known, now)
    at = next_change(seen, promise, now)
    until = at or now + 400 * DAY
    later = min(now + part * (until - now), until - timedelta(microseconds=1))
    then = clock(promise, known, later)
    assert then.state == seen.state
    assert warnings(then, promise, later) == warnings(seen, promise, now) or at is None
    if at is not None:
        changed = clock(promise, known, at)
        assert at > now
        assert (changed.state, warnings(changed, promise, at)) != (
            seen.state,
            warnings(seen, promise, now),
        )

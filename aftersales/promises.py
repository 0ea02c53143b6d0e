"""Promises as data, and what the clock of each says now; no deadline is ever stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from importlib import resources
from typing import Any, NamedTuple

import msgspec

from aftersales.access import Role
from aftersales.deadline import Limit, due_at, extended, last_day_of
from aftersales.journal import Event
from aftersales.ticket import Ticket, rounds
from aftersales.workdays import Workdays
from equipment.words import Words

HELD, RESUMED, WAIVED = "promise.held", "promise.resumed", "promise.waived"


class Origin(StrEnum):
    """Why we owe it; only contract and law enter a contractual statistic."""

    CONTRACT = "contract"
    LAW = "law"
    INTERNAL = "internal"


ORIGINS: dict[Origin, Words] = {
    Origin.CONTRACT: Words("合同承诺", "contract"),
    Origin.LAW: Words("法律规定", "law"),
    Origin.INTERNAL: Words("内部目标", "internal target"),
}


class BadPromise(ValueError):
    """A promise set that cannot be meant; the text names the row and the field."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise.

    It runs from the first of ``starts`` to the first of ``stops``; without stops it is a period
    that is kept by running out (the warranty). ``voids`` end it without a verdict. ``kinds`` are
    the ticket kinds it applies to (all if empty), with ``reported`` only once the customer has
    reported. ``each`` names the key of an event's data that has a clock of its own per value.
    ``holds`` are the reasons that may stop the clock, with the customer's consent; ``warn_at``
    fractions of the period; ``ladder`` who is told, one after the other; ``on_expiry`` the event
    type that expiry causes. ``clause`` is where it is written.
    """

    code: str
    title: Words
    origin: Origin
    clause: Words
    starts: tuple[str, ...]
    limit: Limit
    stops: tuple[str, ...] = ()
    voids: tuple[str, ...] = ()
    subject: str = "ticket"
    kinds: frozenset[str] = frozenset()
    reported: bool = False
    each: str | None = None
    holds: frozenset[str] = frozenset()
    waivable: bool = False
    warn_at: tuple[float, ...] = ()
    ladder: tuple[Role, ...] = ()
    on_expiry: str | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not self.starts:
            raise BadPromise(f"promise {self.code}: starts is empty, it would never run")
        if not all(self.clause) or not all(self.title):
            raise BadPromise(f"promise {self.code}: title and clause need both languages")
        if self.limit.n < 1:
            raise BadPromise(f"promise {self.code}: limit of {self.limit.n} is not above 0")
        if any(not 0 < part < 1 for part in self.warn_at):
            raise BadPromise(f"promise {self.code}: warn_at {self.warn_at} is outside 0..1")


HOLD_REASONS: dict[str, Words] = {
    "no_access": Words("客户不允许进入现场", "customer denies access"),
    "site_not_ready": Words("买方现场未就绪", "buyer's site not ready"),
}


def load(text: str, file: str) -> dict[str, Promise]:
    """Return the promises of a YAML ``text`` by code.

    Raises BadPromise, naming ``file``, the row and the wrong field.
    """
    try:
        policy = msgspec.yaml.decode(text)
        rows, version = policy["promises"], policy["version"]
        return {row["code"]: _promise(row, version, file) for row in rows}
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise BadPromise(
            f"{file}: {error}; expected version and promises, each with code"
        ) from error


def _promise(row: Mapping[str, Any], version: int, file: str) -> Promise:
    unknown = set(row) - set(Promise.__dataclass_fields__)
    if unknown:
        raise BadPromise(f"{file}: promise {row['code']}: unknown field {min(unknown)!r}")
    if not set(row.get("holds", ())) <= set(HOLD_REASONS):
        raise BadPromise(
            f"{file}: promise {row['code']}: holds {row['holds']} has an unknown reason"
        )
    try:
        return msgspec.convert({"version": version, **row}, Promise)
    except msgspec.ValidationError as error:
        raise BadPromise(f"{file}: promise {row['code']}: {error}") from error


PROMISES: dict[str, Promise] = load(
    resources.files("aftersales").joinpath("promises.yaml").read_text(encoding="utf-8"),
    "promises.yaml",
)


def promises_for(ticket: Ticket, promises: Mapping[str, Promise] = PROMISES) -> tuple[Promise, ...]:
    """Return what we owe on ``ticket``, in the order of the policy."""
    return tuple(
        promise
        for promise in promises.values()
        if promise.subject == "ticket"
        and (not promise.kinds or ticket.kind in promise.kinds)
        and (not promise.reported or ticket.reported_at is not None)
    )


class ClockState(StrEnum):
    """The verdicts; met, missed, waived and void are final."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    OVERDUE = "overdue"
    MET = "met"
    MISSED = "missed"
    WAIVED = "waived"
    VOID = "void"


CLOCK_STATES: dict[ClockState, Words] = {
    ClockState.IDLE: Words("未开始", "not started"),
    ClockState.RUNNING: Words("计时中", "running"),
    ClockState.HELD: Words("已暂停", "held"),
    ClockState.OVERDUE: Words("超时", "overdue"),
    ClockState.MET: Words("按时完成", "met"),
    ClockState.MISSED: Words("违约", "missed"),
    ClockState.WAIVED: Words("豁免（客户同意）", "waived (customer consent)"),
    ClockState.VOID: Words("不再适用", "void"),
}
FINAL = frozenset({ClockState.MET, ClockState.MISSED, ClockState.WAIVED, ClockState.VOID})


@dataclass(frozen=True, slots=True)
class Clock:
    """What ``promise`` (a code) says at one instant.

    ``due`` includes the ``held_s`` seconds the clock stood still before it; while ``held_since``
    is set it moves on. ``provisional``: working days behind the horizon may move ``due``.
    ``about`` is the visit, for a promise that has a clock for each.
    """

    promise: str
    state: ClockState
    start: datetime | None = None
    due: datetime | None = None
    stop: datetime | None = None
    held_s: float = 0.0
    held_since: datetime | None = None
    provisional: bool = False
    about: str | None = None


def read(
    promise: Promise, events: Iterable[Event], workdays: Workdays, now: datetime, zone: tzinfo
) -> Clock:
    """Return the clock of ``promise`` over the events of its subject that happened up to ``now``.

    The first end counts: before ``due`` (inclusive) it is what it says, after it the promise was
    missed, also when the customer then waives or the ticket is cancelled. A hold that begins at
    or after ``due`` changes nothing.
    """
    told = iter(sorted((e for e in events if e.at <= now), key=lambda e: (e.at, e.id)))
    start = next((e.at for e in told if e.type in promise.starts), None)
    if start is None:
        return Clock(promise.code, ClockState.IDLE)
    after = list(told)
    end = next((e for e in after if _verdict(promise, e) is not None), None)
    due, held_s, held_since = due_at(promise.limit, start, workdays, zone), 0.0, None
    for hold in _holds(promise, after, end.at if end else now):
        if hold.since >= due:
            break
        due = extended(promise.limit, due, workdays, zone, since=hold.since, until=hold.until)
        held_s += (hold.until - hold.since).total_seconds()
        held_since = hold.since if hold.lasts and end is None else None
    state, stop = _state(promise, end, due, now, held=held_since is not None)
    guess = promise.limit.asks_calendar and last_day_of(due, zone) > workdays.horizon
    return Clock(promise.code, state, start, due, stop, held_s, held_since, guess)


def _verdict(promise: Promise, event: Event) -> ClockState | None:
    """Return what ``event`` makes of the promise when it comes in time, None if nothing."""
    if event.type in promise.stops:
        return ClockState.MET
    if event.type in promise.voids:
        return ClockState.VOID
    consented = event.data.get("promise") == promise.code and event.data.get("consent")
    return ClockState.WAIVED if event.type == WAIVED and promise.waivable and consented else None


class _Hold(NamedTuple):
    since: datetime
    until: datetime
    lasts: bool


def _holds(promise: Promise, events: Iterable[Event], limit: datetime) -> Iterator[_Hold]:
    """Yield the holds in order; the one that nobody ended lasts until ``limit``."""
    since: datetime | None = None
    for event in events:
        if event.at > limit or event.data.get("promise") != promise.code:
            continue
        if event.type == HELD and since is None and _may_hold(promise, event):
            since = event.at
        elif event.type == RESUMED and since is not None:
            yield _Hold(since, event.at, False)
            since = None
    if since is not None:
        yield _Hold(since, limit, True)


def _may_hold(promise: Promise, event: Event) -> bool:
    return event.data.get("reason") in promise.holds and bool(event.data.get("consent"))


def _state(
    promise: Promise, end: Event | None, due: datetime, now: datetime, *, held: bool
) -> tuple[ClockState, datetime | None]:
    if end is not None and (promise.stops or end.at <= due):
        verdict = _verdict(promise, end)
        return (verdict if verdict and end.at <= due else ClockState.MISSED), end.at
    if not promise.stops and due <= now:
        return ClockState.MET, due
    if held:
        return ClockState.HELD, None
    return (ClockState.OVERDUE if due <= now else ClockState.RUNNING), None


def clocks(
    ticket: Ticket,
    events: Sequence[Event],
    workdays: Workdays,
    now: datetime,
    zone: tzinfo,
    *,
    promises: Mapping[str, Promise] = PROMISES,
) -> tuple[Clock, ...]:
    """Return every clock of ``ticket`` that applies, since it was last opened or reopened."""
    return tuple(
        replace(read(promise, group, workdays, now, zone), about=about)
        for promise in promises_for(ticket, promises)
        for about, group in _groups(promise, events)
    )


def _groups(
    promise: Promise, events: Sequence[Event]
) -> Iterator[tuple[str | None, Sequence[Event]]]:
    key = promise.each
    if key is None:
        yield None, rounds(events)[-1]
        return
    for about in sorted(
        {str(e.data[key]) for e in events if e.type in promise.starts and key in e.data}
    ):
        yield about, [e for e in events if e.data.get(key) == about]


def warnings(clock: Clock, promise: Promise, now: datetime) -> tuple[float, ...]:
    """Return the fractions of ``promise.warn_at`` that have passed, until there is a verdict."""
    if clock.state in FINAL or clock.state is ClockState.IDLE:
        return ()
    return tuple(part for part in sorted(promise.warn_at) if _passes_at(clock, part) <= now)


def next_change(clock: Clock, promise: Promise, now: datetime) -> datetime | None:
    """Return when the verdict changes or a warning falls due, if nothing else happens till then.

    None for a clock that only an event can move: idle, held, overdue or with a verdict.
    """
    if clock.state is not ClockState.RUNNING or clock.due is None:
        return None
    coming = (_passes_at(clock, part) for part in promise.warn_at)
    return min([clock.due, *(at for at in coming if now < at)])


def _passes_at(clock: Clock, part: float) -> datetime:
    assert clock.start is not None  # no fraction passes on an idle clock
    assert clock.due is not None
    held = timedelta(seconds=clock.held_s)
    return clock.start + held + part * (clock.due - clock.start - held)

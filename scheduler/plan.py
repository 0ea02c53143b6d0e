"""A planning problem and its answer: visit requests and technicians in, a day plan out.

Every instant is aware UTC, every duration whole seconds. Values pickle, so that a plan can be
made in another process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise

from equipment.words import Words


class ImpossibleProblem(ValueError):
    """A problem no plan can be made for; the text names the field and its value."""


def _instant(of: str, name: str, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ImpossibleProblem(f"{of}: {name} {value} has no time zone")


def _named(of: str, id: str) -> None:
    if not id:
        raise ImpossibleProblem(f"{of}: id is empty")


@dataclass(frozen=True, slots=True)
class Place:
    """A point in WGS-84 degrees."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise ImpossibleProblem(f"latitude {self.latitude} is outside -90..90")
        if not -180 <= self.longitude <= 180:
            raise ImpossibleProblem(f"longitude {self.longitude} is outside -180..180")


@dataclass(frozen=True, slots=True)
class Break:
    """``duration_s`` of rest somewhere between ``from_at`` and ``to_at``."""

    from_at: datetime
    to_at: datetime
    duration_s: int

    def __post_init__(self) -> None:
        _instant("break", "from_at", self.from_at)
        _instant("break", "to_at", self.to_at)
        if self.duration_s <= 0:
            raise ImpossibleProblem(f"break: duration_s {self.duration_s} is not above 0")
        if (self.to_at - self.from_at).total_seconds() < self.duration_s:
            raise ImpossibleProblem(
                f"break: duration_s {self.duration_s} does not fit between "
                f"from_at {self.from_at} and to_at {self.to_at}"
            )


@dataclass(frozen=True, slots=True)
class Shift:
    """One duty, drive from and to home included. Its breaks lie inside and do not overlap."""

    start_at: datetime
    end_at: datetime
    breaks: tuple[Break, ...] = ()

    def __post_init__(self) -> None:
        _instant("shift", "start_at", self.start_at)
        _instant("shift", "end_at", self.end_at)
        if self.end_at <= self.start_at:
            raise ImpossibleProblem(
                f"shift: end_at {self.end_at} is not after start_at {self.start_at}"
            )
        free_from = self.start_at
        for rest in self.breaks:
            if rest.from_at < free_from:
                raise ImpossibleProblem(
                    f"shift: break from_at {rest.from_at} is before {free_from}, "
                    "the shift's start or the break before it"
                )
            free_from = rest.to_at
        if free_from > self.end_at:
            raise ImpossibleProblem(
                f"shift: break to_at {free_from} is after end_at {self.end_at} of the shift"
            )


@dataclass(frozen=True, slots=True)
class Technician:
    """Who can be sent.

    ``certificates`` maps a device family to the last day the certificate is valid. ``at`` is
    where the technician is now (home if None), ``free_at`` from when free to drive on. ``title``
    is the name in the reasons.
    """

    id: str
    home: Place
    shifts: tuple[Shift, ...] = ()
    certificates: Mapping[str, date] = field(default_factory=dict)
    at: Place | None = None
    free_at: datetime | None = None
    title: Words | None = None

    def __post_init__(self) -> None:
        _named("technician", self.id)
        _instant(f"technician {self.id}", "free_at", self.free_at)
        for first, second in pairwise(self.shifts):
            if second.start_at < first.end_at:
                raise ImpossibleProblem(
                    f"technician {self.id}: shifts: start_at {second.start_at} is before "
                    f"{first.end_at}, the end of the shift before it"
                )

    @property
    def name(self) -> Words:
        """What people call the technician."""
        return self.title or Words(self.id, self.id)


@dataclass(frozen=True, slots=True)
class VisitRequest:
    """A visit somebody should make.

    ``family`` is the device family the technician needs a certificate for, None for no need.
    ``priority`` is 1 (highest) to 3. ``promised_by`` is when the visit should begin; being late
    costs, more where it is ``contractual``. ``pinned_to`` names the one technician who may go,
    ``pinned_at`` when the visit begins (with ``pinned_to`` only). A ``started`` visit is a fact:
    there since ``pinned_at``, or under way to it and there by then.
    """

    id: str
    place: Place
    duration_s: int
    family: str | None = None
    earliest_at: datetime | None = None
    promised_by: datetime | None = None
    contractual: bool = False
    priority: int = 2
    pinned_to: str | None = None
    pinned_at: datetime | None = None
    started: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        _named("visit request", self.id)
        whose = f"visit request {self.id}"
        for name in ("earliest_at", "promised_by", "pinned_at"):
            _instant(whose, name, getattr(self, name))
        if self.duration_s <= 0:
            raise ImpossibleProblem(f"{whose}: duration_s {self.duration_s} is not above 0")
        if self.priority not in (1, 2, 3):
            raise ImpossibleProblem(f"{whose}: priority {self.priority} is not 1, 2 or 3")
        if self.pinned_to is None and (self.started or self.pinned_at is not None):
            raise ImpossibleProblem(f"{whose}: pinned_to is missing, started or pinned_at need it")

    @property
    def name(self) -> str:
        """What people call it."""
        return self.label or self.id


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another."""

    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit of a route. ``travel_s`` is the drive to it; ``why`` this technician."""

    request: str
    arrive_at: datetime
    start_at: datetime
    end_at: datetime
    travel_s: int
    late_s: int = 0
    why: Words | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The stops of one technician in one shift, in order; ``travel_s`` with the drive home.

    ``breaks`` are when the breaks of the shift that were still due are taken.
    """

    technician: str
    stops: tuple[Stop, ...]
    travel_s: int
    home_at: datetime
    breaks: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request nobody is sent to, and the reason in words."""

    request: str
    why: Words


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Who goes where, in which order, and why not.

    ``costs`` splits ``cost`` by the names in ``cost.COSTS``. Technicians without a stop have no
    route; one with stops in two shifts has two. ``warnings`` are what a dispatcher should know.
    """

    made_at: datetime
    routes: tuple[Route, ...] = ()
    unserved: tuple[Unserved, ...] = ()
    cost: int = 0
    costs: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Words, ...] = ()

    def stop(self, request: str) -> tuple[str, Stop] | None:
        """Return the technician and the stop of ``request``, None where it is not served."""
        for route in self.routes:
            for stop in route.stops:
                if stop.request == request:
                    return route.technician, stop
        return None

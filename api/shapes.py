"""What the API answers with: one pydantic model per shape, instants in UTC."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")
_ID, _PLACE = r"^[A-Za-z0-9_:.-]{1,200}$", r"^[A-Za-z0-9_:.-]{0,200}$"
Id = Annotated[str, StringConstraints(pattern=_ID)]
IdPath = Annotated[str, Path(pattern=_ID)]
IdQuery = Annotated[str, Query(pattern=_ID)]
Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[str, Query(pattern=_PLACE)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]+$")]


class Shape(BaseModel):
    """Base of all shapes: built from domain records by attribute."""

    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False)


class Bilingual(Shape):
    """One sentence in both languages."""

    zh: str
    en: str


class Page(Shape, Generic[T]):
    """One page of a list; ``next`` is what to pass as ``after`` for more, null at the end."""

    items: list[T]
    next: str | None = None


class FieldError(Shape):
    """Which field of a request is wrong, and why."""

    field: str
    message: str


class Problem(Shape):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class SignInRequest(Shape):
    """Login and password."""

    login: Annotated[str, StringConstraints(max_length=80, pattern=r"^[^\x00-\x1f]+$")]
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class SessionShape(Shape):
    """Who is signed in."""

    login: str
    title: Bilingual
    role: str
    role_title: Bilingual


class Hint(Shape):
    """A login of the demo."""

    login: str
    password: str
    role: str
    title: Bilingual


class ClockShape(Shape):
    """What time it is here, and how fast it passes (1 = as outside)."""

    now: datetime
    speed: float
    demo: bool


class Overview(Shape):
    """The counts of the first page."""

    devices: int
    silent: int
    states: dict[str, int]
    state_titles: dict[str, Bilingual]
    open_tickets: int
    overdue: int
    unserved: int
    quarantined: int


class DeviceRow(Shape):
    """A device as a row of the overview."""

    id: str
    serial: str
    model: str
    model_title: Bilingual
    site: str
    site_title: Bilingual
    latitude: float
    longitude: float
    state: str
    state_title: Bilingual
    score: int
    last_seen_at: datetime | None
    silent: bool
    component: str | None
    component_title: Bilingual | None
    ticket: str | None


class ComponentShape(Shape):
    """A component and its NE 107 state."""

    code: str
    title: Bilingual
    state: str
    state_title: Bilingual


class MetricShape(Shape):
    """A metric with its newest value and its bands."""

    name: str
    title: Bilingual
    unit: str
    component: str
    component_title: Bilingual
    value: float | None
    at: datetime | None
    warn: tuple[float | None, float | None]
    fail: tuple[float | None, float | None]


class FaultShape(Shape):
    """A fault: what is wrong with one component."""

    id: str
    component: str
    state: str
    says: Bilingual
    opened_at: datetime
    closed_at: datetime | None
    react_by: datetime | None
    ticket: str | None


class DeviceClock(Shape):
    """A device's clock that is wrong: fast by ``skew_s``, slow where that is negative."""

    skew_s: float
    since: datetime
    says: Bilingual


class DevicePage(DeviceRow):
    """A device with everything about it; ``clock`` only while that is wrong."""

    components: list[ComponentShape]
    metrics: list[MetricShape]
    faults: list[FaultShape]
    clock: DeviceClock | None


class SeriesShape(Shape):
    """One metric over a span, in buckets: start (ms UTC), min, max and mean of each."""

    name: str
    title: Bilingual
    unit: str
    at: list[int]
    low: list[float]
    high: list[float]
    mean: list[float]


class SeriesList(Shape):
    """The metrics asked for."""

    series: list[SeriesShape]


class PromiseShape(Shape):
    """A promise's clock on a ticket."""

    code: str
    title: Bilingual
    origin: str
    origin_title: Bilingual
    state: str
    state_title: Bilingual
    start: datetime | None
    due: datetime | None
    stop: datetime | None
    held_s: float
    provisional: bool
    warn_at: list[float]


class CertificateShape(Shape):
    """What a technician is certified for, and until when (last day included)."""

    family: str
    title: Bilingual
    valid_to: date


class VisitShape(Shape):
    """The visit that goes to a ticket."""

    id: str
    technician: str | None
    technician_title: Bilingual | None
    state: str
    state_title: Bilingual
    arrive_at: datetime | None
    leave_at: datetime | None
    late_s: int | None
    certificate: CertificateShape | None = None


class ActionShape(Shape):
    """Something this user may do now; ``needs`` names the field that must come along."""

    event: str
    title: Bilingual
    needs: str | None = None


class TicketRow(Shape):
    """A ticket as a row: what, where, until when, who."""

    id: str
    number: str
    kind: str
    kind_title: Bilingual
    origin: str
    title: Bilingual
    severity: int
    state: str
    state_title: Bilingual
    device: str | None
    site: str
    site_title: Bilingual
    component: str | None
    component_title: Bilingual | None
    opened_at: datetime
    reported_at: datetime | None
    outcome: str | None
    version: int
    promises: list[PromiseShape]
    visit: VisitShape | None
    unserved: Bilingual | None
    allowed_actions: list[ActionShape]


class EventShape(Shape):
    """One line of a timeline."""

    id: int
    at: datetime
    recorded_at: datetime
    type: str
    title: Bilingual
    actor: str
    actor_title: Bilingual
    data: dict[str, Any]


class AlarmShape(Shape):
    """An alarm with its evidence."""

    id: str
    device: str
    component: str
    component_title: Bilingual
    metric: str
    rule: str
    severity: str
    state: str
    says: Bilingual
    raised_at: datetime
    cleared_at: datetime | None
    evidence: dict[str, Any]


class OutcomeShape(Shape):
    """A possible outcome of a ticket."""

    code: str
    title: Bilingual


class TicketList(Page[TicketRow]):
    """Tickets, newest first, and how many this user may see in each state."""

    counts: dict[str, int]


class TicketPage(TicketRow):
    """A ticket with everything about it."""

    timeline: list[EventShape]
    fault: FaultShape | None
    alarms: list[AlarmShape]
    outcomes: list[OutcomeShape]


class ActionRequest(Shape):
    """An event on a ticket, made on the version the user looked at."""

    event: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    version: Annotated[int, Field(ge=1, le=2**53)]
    outcome: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] | None = None
    reason: Line | None = None


class PlaceShape(Shape):
    """A point, WGS-84 degrees."""

    latitude: float
    longitude: float


class StopShape(Shape):
    """One stop of a route."""

    ticket: str
    number: str
    title: Bilingual
    site_title: Bilingual
    latitude: float
    longitude: float
    arrive_at: datetime
    start_at: datetime
    end_at: datetime
    travel_s: int
    late_s: int
    state: str
    device: str | None = None
    certificate: CertificateShape | None = None
    why: Bilingual | None = None


class RouteShape(Shape):
    """A technician's day."""

    technician: str
    technician_title: Bilingual
    home: PlaceShape
    travel_s: int
    stops: list[StopShape]


class UnservedShape(Shape):
    """A ticket nobody is sent to, and the reason."""

    ticket: str
    number: str
    title: Bilingual
    why: Bilingual


class PlanShape(Shape):
    """The plan that holds. ``status``: fresh, planning, failed (``why`` says it) or none."""

    made_at: datetime | None
    version: str | None
    status: str
    why: Bilingual | None
    routes: list[RouteShape]
    unserved: list[UnservedShape]
    warnings: list[Bilingual]
    costs: dict[str, int]


class LedgerShape(Shape):
    """The conservation ledger of a device: received = stored + duplicate + quarantined.

    ``late``, ``historical`` and ``ahead`` count rows, not messages: within a day, older or marked
    as history, and from the future. ``resets`` are numbers that began again within a boot.
    """

    device: str
    received: int
    stored: int
    duplicate: int
    quarantined: int
    gaps: list[tuple[str, int, int]]
    reboots: int
    resets: int
    late: int
    historical: int
    ahead: int


class MessageRequest(Shape):
    """A message of a device, as it would be published over MQTT."""

    topic: str
    payload: dict[str, Any]


class HandedInNote(Shape):
    """A message that was not simply stored; ``place`` counts from 0.

    One that is stored and has a reason was stored but for some of its metrics.
    """

    place: int
    outcome: Literal["stored", "duplicate", "quarantined"]
    reason: str
    why: str


class HandedIn(Shape):
    """What the messages came to: received = stored + duplicate + quarantined."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    noted: list[HandedInNote]


class ModeShape(Shape):
    """A failure mode the demo can cause."""

    id: str
    model: str
    title: Bilingual


class InjectRequest(Shape):
    """Which device gets which fault."""

    device: Id
    mode: Id


class ReadyShape(Shape):
    """Whether the process can do its work now; ``reasons`` says what keeps it, part by part."""

    ok: bool
    reasons: dict[str, Bilingual]


class HealthShape(Shape):
    """Whether the process is well; ``parts`` names what is not."""

    ok: bool
    parts: list[str]

"""Devices: how they are, what they measure, what is wrong with them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from aftersales.access import Action, Role, may
from aftersales.promises import ClockState
from aftersales.ticket import Ticket
from api import shapes, views
from api.context import Caller, Stage, door
from api.errors import Invalid, NotFound, check_known
from api.fleet import Asked, Fleet
from equipment.catalog import DeviceModel
from equipment.device import Device
from equipment.quarantine import Quarantined
from equipment.words import Words
from health.alarm import Alarm
from health.clocks import COMPONENT as CLOCK
from health.clocks import Heard
from health.fault import Fault
from health.state import STATES, device_health
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["devices"])
_MANY = 100_000
_LONGEST = timedelta(days=400)
_YEARS = range(2000, 2100)


@router.get("/overview", **door(Action.READ, "device"))
def read_overview(stage: Stage, user: Caller) -> shapes.Overview:
    """Return the counts of the first page; they count only what this user may see."""
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        fleet = Fleet(stage, work, desk)
        ids = [device.id for device in fleet.everything()]
        seen = fleet.seen_at(ids)
        tickets = [
            ticket
            for ticket in work.shelf(Ticket).find(state="open", limit=_MANY)
            if desk.scope.sees_ticket(ticket.id)
        ]
        hidden = not may(Role(user.role), Action.READ, "quarantine")
        return shapes.Overview(
            devices=len(ids),
            silent=sum(fleet.is_silent(seen.get(id)) for id in ids),
            states=_states(ids, fleet.unwell),
            state_titles={state: views.bilingual(title) for state, title in STATES.items()},
            open_tickets=len(tickets),
            overdue=_overdue(desk, tickets),
            unserved=sum(ticket.id in desk.unserved for ticket in tickets),
            quarantined=0 if hidden else work.shelf(Quarantined).count(),
        )


def _states(devices: Iterable[str], unwell: Mapping[str, str]) -> dict[str, int]:
    counts = dict.fromkeys(STATES, 0)
    for id in devices:
        counts[unwell.get(id, "NORMAL")] += 1
    return counts


def _overdue(desk: views.Desk, tickets: Iterable[Ticket]) -> int:
    events = desk.events([ticket.id for ticket in tickets])
    clocks = (desk.clocks(ticket, events[ticket.id]) for ticket in tickets)
    return sum(any(c.state is ClockState.OVERDUE for c in several) for several in clocks)


@router.get("/devices", **door(Action.READ, "device"))
def list_devices(
    stage: Stage,
    user: Caller,
    *,
    state: Annotated[str | None, Query(pattern="^[A-Z_]{1,40}$")] = None,
    silent: bool | None = None,
    q: Annotated[str, Query(max_length=80)] = "",
    sort: Literal["id", "worst"] = "id",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[str, Query(pattern="^([0-4]:)?[A-Za-z0-9_-]{0,40}$")] = "",
) -> shapes.Page[shapes.DeviceRow]:
    """Return devices by id, or the worst first; those in ``state``, ``silent``, named like ``q``.

    ``q`` is looked for in id, serial and the site's name, in either language.
    """
    check_known("query.state", state, STATES)
    if ":" in after and sort == "id":
        raise Invalid("query.after", Words("不是此排序的位置", "is not a place in this order"))
    asked = Asked(state, silent, q.strip(), worst_first=sort == "worst")
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        return Fleet(stage, work, desk).page(asked, after, limit)


@router.get("/devices/{id}", **door(Action.READ, "device", 404))
def read_device(stage: Stage, user: Caller, id: shapes.IdPath) -> shapes.DevicePage:
    """Return a device with its components, metrics and faults."""
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        device = _device(work, desk, id)
        fleet = Fleet(stage, work, desk)
        (row,) = fleet.rows([device])
        model = fleet.model(device)
        faults = work.shelf(Fault).find(device=id, newest_first=True, limit=50)
        clock = _clock(work, fleet.faults.get(id, ()))
    faults = sorted({*faults, *fleet.faults.get(id, ())}, key=lambda f: f.opened_at, reverse=True)
    last = stage.office.telemetry.last([id]).get(id, {})
    return shapes.DevicePage(
        **row.model_dump(),
        components=_components(model, faults),
        metrics=[views.metric(one, last) for one in model.metrics],
        faults=[views.fault(one, desk.scope) for one in faults],
        clock=clock,
    )


def _clock(work: Work, faults: Iterable[Fault]) -> shapes.DeviceClock | None:
    """Return what is wrong with the device's clock, if something is."""
    raised = [alarm for fault in faults if fault.component == CLOCK for alarm in fault.alarms]
    alarm = work.shelf(Alarm).get(raised[-1]) if raised else None
    if alarm is None:
        return None
    skew_s = float(alarm.evidence["clock_skew_s"])
    return shapes.DeviceClock(
        skew_s=skew_s, since=alarm.raised_at, says=views.bilingual(alarm.says)
    )


def _device(work: Work, desk: views.Desk, id: str) -> Device:
    device = work.shelf(Device).get(id)
    if device is None or not desk.scope.sees_device(id):
        raise NotFound(Words(f"没有登记设备 {id}", f"device {id!r} is not registered"))
    return device


def _components(model: DeviceModel, faults: Iterable[Fault]) -> list[shapes.ComponentShape]:
    unwell = device_health(faults).components
    codes = dict.fromkeys(m.component for m in model.metrics)
    return [
        shapes.ComponentShape(
            code=code,
            title=views.component_title(code),
            state=unwell.get(code, "NORMAL"),
            state_title=views.bilingual(STATES[unwell.get(code, "NORMAL")]),
        )
        for code in codes
    ]


@router.get("/devices/{id}/series", **door(Action.READ, "device", 404))
def read_series(
    stage: Stage,
    user: Caller,
    id: shapes.IdPath,
    *,
    metrics: Annotated[str, Query(max_length=2000)] = "",
    start: Annotated[datetime | None, Query(alias="from")] = None,
    end: Annotated[datetime | None, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=10, le=2000)] = 400,
) -> shapes.SeriesList:
    """Return metrics in at most ``points`` buckets with min, max and mean; default: 24 h, all.

    The span is at most 400 days, its end counting.
    """
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        model = Fleet(stage, work, desk).model(_device(work, desk, id))
    start_ms, end_ms = _span(start, end, stage.office.now())
    wanted = [m for m in model.metrics if not metrics or m.name in metrics.split(",")]
    found = stage.office.telemetry.window(id, [m.name for m in wanted], start_ms, end_ms, points)
    series = []
    for metric in wanted:
        window = found.get(metric.name)
        if window is not None and len(window.at_ms):
            series.append(
                shapes.SeriesShape(
                    name=metric.name,
                    title=views.bilingual(metric.title),
                    unit=metric.unit,
                    at=window.at_ms.tolist(),
                    low=[_short(v) for v in window.low.tolist()],
                    high=[_short(v) for v in window.high.tolist()],
                    mean=[_short(v) for v in window.mean.tolist()],
                )
            )
    return shapes.SeriesList(series=series)


def _span(start: datetime | None, end: datetime | None, now: datetime) -> tuple[int, int]:
    """Return the span asked for in ms UTC. Raises Invalid."""
    end_at = _utc("query.to", end) or now
    start_at = _utc("query.from", start) or end_at - timedelta(days=1)
    if start_at > end_at:
        raise Invalid("query.from", Words("晚于结束时间", "is after `to`"))
    start_at = max(start_at, end_at - _LONGEST)
    return int(start_at.timestamp() * 1000), int(end_at.timestamp() * 1000) + 1


def _utc(field: str, at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if at.year not in _YEARS:
        raise Invalid(
            field, Words("应在 2000 至 2099 年之间", "is not within the years 2000 to 2099")
        )
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


@router.get("/devices/{id}/ledger", **door(Action.READ, "device", 404))
def read_ledger(stage: Stage, user: Caller, id: shapes.IdPath) -> shapes.LedgerShape:
    """Return the conservation ledger: received = stored + duplicate + quarantined, and gaps."""
    with stage.office.records.read() as work:
        _device(work, views.Desk(stage.office, work, user), id)
    tally = stage.tally(id)
    if tally is None:
        raise NotFound(
            Words(f"本进程没有设备 {id} 的台账", f"device {id!r} has no ledger in this process")
        )
    heard = stage.heard(id) or Heard()
    return shapes.LedgerShape(
        device=id,
        received=tally.received,
        stored=tally.stored,
        duplicate=tally.duplicate,
        quarantined=tally.quarantined,
        gaps=tally.gaps()[:1000],
        reboots=tally.reboots,
        resets=tally.resets,
        late=heard.late,
        historical=heard.historical,
        ahead=heard.ahead,
    )

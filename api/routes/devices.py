"""Devices: how they are, what they measure, what is wrong with them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from aftersales.access import Action
from aftersales.ticket import Ticket
from api import shapes, views
from api.context import Backstage, Stage, needs
from api.errors import NotFound
from equipment.catalog import COMPONENTS, DeviceModel
from equipment.device import Device
from equipment.quarantine import Quarantined
from equipment.words import Words
from health.fault import Fault
from health.state import STATES, device_health
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["devices"])
_MANY = 100_000
_LONGEST = timedelta(days=400)
_NO_MODEL = Words("未知型号", "unknown model")


@router.get("/overview", dependencies=[needs(Action.READ, "device")])
def read_overview(stage: Stage) -> shapes.Overview:
    """Return the counts of the first page."""
    with stage.office.records.read() as work:
        rows = _rows(stage, work, work.shelf(Device).find(limit=_MANY))
        tickets = work.shelf(Ticket).find(state="open", limit=_MANY)
        desk = views.Desk(stage.office, work)
        clocks = [views.ticket_clocks(stage.office, work, t) for t in tickets]
        return shapes.Overview(
            devices=len(rows),
            silent=sum(row.silent for row in rows),
            states={state: sum(row.state == state for row in rows) for state in STATES},
            state_titles={state: views.bilingual(title) for state, title in STATES.items()},
            open_tickets=len(tickets),
            overdue=sum(any(c.state == "overdue" for c in several) for several in clocks),
            unserved=sum(t.id in desk.unserved for t in tickets),
            quarantined=work.shelf(Quarantined).count(),
        )


@router.get("/devices", dependencies=[needs(Action.READ, "device")])
def list_devices(
    stage: Stage,
    state: Annotated[str | None, Query(pattern="^[A-Z_]{1,40}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[str, Query(max_length=40)] = "",
) -> shapes.Page[shapes.DeviceRow]:
    """Return devices by id, those in ``state`` only if it is given."""
    with stage.office.records.read() as work:
        found: list[shapes.DeviceRow] = []
        while True:
            page = work.shelf(Device).find(limit=limit, after=after)
            found += [r for r in _rows(stage, work, page) if state in (None, r.state)]
            if len(page) < limit:
                return shapes.Page(items=found)
            after = page[-1].id
            if len(found) >= limit:
                return shapes.Page(items=found, next=after)


def _rows(stage: Backstage, work: Work, devices: Sequence[Device]) -> list[shapes.DeviceRow]:
    desk = views.Desk(stage.office, work)
    faults: dict[str, list[Fault]] = defaultdict(list)
    for fault in work.shelf(Fault).find(closed_at=None, limit=_MANY):
        faults[fault.device].append(fault)
    last = stage.office.telemetry.last([d.id for d in devices])
    now = stage.office.now()
    return [
        views.device_row(
            desk, d, _model(stage, d), faults=faults[d.id], last=last.get(d.id, {}), now=now
        )
        for d in devices
    ]


def _model(stage: Backstage, device: Device) -> DeviceModel:
    known = stage.models.get(device.model)
    return known or DeviceModel(device.model, "", 0, _NO_MODEL, ())


@router.get("/devices/{id}", dependencies=[needs(Action.READ, "device")])
def read_device(stage: Stage, id: str) -> shapes.DevicePage:
    """Return a device with its components, metrics and faults."""
    with stage.office.records.read() as work:
        device = _device(work, id)
        (row,) = _rows(stage, work, [device])
        faults = work.shelf(Fault).find(device=id, newest_first=True, limit=50)
    model = _model(stage, device)
    return shapes.DevicePage(
        **row.model_dump(),
        components=_components(model, faults),
        metrics=_metrics(stage, device, model),
        faults=[views.fault(f) for f in sorted(faults, key=lambda f: f.opened_at, reverse=True)],
    )


def _device(work: Work, id: str) -> Device:
    device = work.shelf(Device).get(id)
    if device is None:
        raise NotFound(f"device {id[:60]!r} is not registered")
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


def _metrics(stage: Backstage, device: Device, model: DeviceModel) -> list[shapes.MetricShape]:
    last = stage.office.telemetry.last([device.id]).get(device.id, {})
    found = []
    for metric in model.metrics:
        at_ms, value = last.get(metric.name, (None, None))
        found.append(
            shapes.MetricShape(
                name=metric.name,
                title=views.bilingual(metric.title),
                unit=metric.unit,
                component=metric.component,
                component_title=views.bilingual(COMPONENTS[metric.component])
                if metric.component in COMPONENTS
                else views.component_title(metric.component),
                value=value,
                at=None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC),
                warn=metric.warn,
                fail=metric.fail,
            )
        )
    return found


@router.get("/devices/{id}/series", dependencies=[needs(Action.READ, "device")])
def read_series(
    stage: Stage,
    id: str,
    *,
    metrics: Annotated[str, Query(max_length=2000)] = "",
    start: Annotated[datetime | None, Query(alias="from")] = None,
    end: Annotated[datetime | None, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=10, le=2000)] = 400,
) -> shapes.SeriesList:
    """Return metrics in at most ``points`` buckets with min, max and mean; default: 24 h, all."""
    with stage.office.records.read() as work:
        model = _model(stage, _device(work, id))
    end_at = _utc(end) or stage.office.now()
    start_at = max(_utc(start) or end_at - timedelta(days=1), end_at - _LONGEST)
    wanted = [m for m in model.metrics if not metrics or m.name in metrics.split(",")]
    start_ms, end_ms = int(start_at.timestamp() * 1000), int(end_at.timestamp() * 1000) + 1
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


def _utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


@router.get("/devices/{id}/ledger", dependencies=[needs(Action.READ, "device")])
def read_ledger(stage: Stage, id: str) -> shapes.LedgerShape:
    """Return the conservation ledger: received = stored + duplicate + quarantined, and gaps."""
    tally = stage.tally(id)
    if tally is None:
        raise NotFound(f"device {id[:60]!r} has no ledger in this process")
    return shapes.LedgerShape(
        device=id,
        received=tally.received,
        stored=tally.stored,
        duplicate=tally.duplicate,
        quarantined=tally.quarantined,
        gaps=tally.gaps()[:1000],
    )

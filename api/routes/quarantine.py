"""Quarantine: messages that were refused, why, and what is done about them."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from aftersales.access import Action
from api import refusals, shapes, views
from api.context import Backstage, Caller, Stage, by, door
from api.errors import Invalid, NotFound, check_known
from desk.mappings import drafted, mappings, register_of
from desk.quarantine import Preview, ask_replay, discard, preview
from equipment.catalog import DeviceModel
from equipment.device import Device
from equipment.mapped import KINDS, Mapped, WrongMapping, check
from equipment.quarantine import DISCARDS, OUTCOMES, REASONS, REPLAY_STATES, Quarantined, Replay
from equipment.reading import Reading
from equipment.words import Words
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["quarantine"])
_LISTED = 2000
_DEVICES = 200
_PATH = re.compile(r"`\$\.?([^`]{1,200})`")
_METRIC = re.compile(r"metric '?([^\s':]{1,60})")
Reason = Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")]


@router.get("/quarantine", **door(Action.READ, "quarantine"))
def list_quarantine(
    stage: Stage,
    reason: Reason = None,
    device: Annotated[str | None, Query(pattern="^[A-Za-z0-9_-]{1,40}$")] = None,
    limit: shapes.Limit = 100,
    after: shapes.After = "",
) -> refusals.QuarantinePage:
    """Return refused messages, newest first, and how many there are of each reason."""
    check_known("query.reason", reason, REASONS)
    asked = {"reason": reason, "device": device}
    equals: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    with stage.office.records.read() as work:
        shelf = work.shelf(Quarantined)
        found = shelf.find(limit=limit + 1, after=after, newest_first=True, **equals)
        counts = {code: shelf.count(reason=code) for code in REASONS}
    return refusals.QuarantinePage(
        items=[refusals.QuarantinedShape(**_facts(one, _LISTED)) for one in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
        counts={code: n for code, n in counts.items() if n},
        titles=_titles(REASONS),
    )


def _titles(codes: dict[str, Words]) -> dict[str, shapes.Bilingual]:
    return {code: views.bilingual(title) for code, title in codes.items()}


def _facts(one: Quarantined, most: int | None = None) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.at,
        "reason": one.reason,
        "reason_title": views.bilingual(REASONS.get(one.reason, Words(one.reason, one.reason))),
        "why": one.why,
        "topic": one.topic,
        "sender": one.sender,
        "payload": one.payload[:most].decode("utf-8", errors="backslashreplace"),
        "size": one.size,
    }


@router.post("/quarantine/replays", status_code=202, **door(Action.UPDATE, "quarantine", 409))
def ask_for_replay(
    stage: Stage, user: Caller, asked: refusals.ReplayRequest
) -> refusals.ReplayShape:
    """Ask the collector to take messages through the intake again; it does so within seconds."""
    check_known("body.reason", asked.reason or None, REASONS)
    if not (asked.ids or asked.reason or asked.device):
        raise Invalid("body.ids", Words("未指定报文", "says of no message that it is meant"))
    replay = ask_replay(
        stage.office, by(stage, user), ids=asked.ids, reason=asked.reason, device=asked.device
    )
    return _replay(replay)


@router.get("/quarantine/replays/{id}", **door(Action.READ, "quarantine", 404))
def read_replay(stage: Stage, id: shapes.IdPath) -> refusals.ReplayShape:
    """Return how far a replay has come."""
    with stage.office.records.read() as work:
        replay = work.shelf(Replay).get(id)
    if replay is None:
        raise NotFound(Words(f"没有重放任务 {id}", f"replay {id!r} does not exist"))
    return _replay(replay)


def _replay(one: Replay) -> refusals.ReplayShape:
    return refusals.ReplayShape(
        id=one.id,
        state=one.state,
        state_title=views.bilingual(REPLAY_STATES[one.state]),
        asked_at=one.asked_at,
        by=one.by,
        total=one.total,
        done=one.done,
        stored=one.stored,
        duplicate=one.duplicate,
        refused=one.refused,
        gone=one.gone,
        results=[
            refusals.ResultShape(
                **result._asdict(), outcome_title=views.bilingual(OUTCOMES[result.outcome])
            )
            for result in one.results[-100:]
        ],
    )


@router.post("/quarantine/discards", **door(Action.UPDATE, "quarantine", 409))
def discard_messages(
    stage: Stage, user: Caller, asked: refusals.DiscardRequest
) -> refusals.Discarded:
    """Remove messages for good; the journal says who did it and why."""
    check_known("body.reason", asked.reason, DISCARDS)
    gone = discard(stage.office, by(stage, user), asked.ids, asked.reason)
    return refusals.Discarded(discarded=gone)


@router.get("/quarantine/{id}", **door(Action.READ, "quarantine", 404))
def read_quarantined(stage: Stage, id: shapes.IdPath) -> refusals.QuarantinedPage:
    """Return a refused message with all of its payload, and what can be taught about it."""
    with stage.office.records.read() as work:
        one = _message(work, id)
        known = work.shelf(Device).get(one.device)
        devices = [] if known else work.shelf(Device).find(limit=_DEVICES)
    model = _model(stage, known)
    return refusals.QuarantinedPage(
        **_facts(one),
        device=one.device,
        model=model.code if model else None,
        whole=one.is_whole,
        wrong=_wrong(one.why),
        metrics=_metrics(model),
        devices=[device.id for device in devices],
        kinds=_titles(KINDS),
        discards=_titles(DISCARDS),
    )


def _message(work: Work, id: str) -> Quarantined:
    one = work.shelf(Quarantined).get(id)
    if one is None:
        raise NotFound(Words(f"隔离区没有报文 {id}", f"message {id!r} is not in quarantine"))
    return one


def _metrics(model: DeviceModel | None) -> list[refusals.MetricName]:
    return [
        refusals.MetricName(name=m.name, title=views.bilingual(m.title), unit=m.unit)
        for m in (model.metrics if model else ())
    ]


def _wrong(why: str) -> list[str]:
    """Return the keys of a payload that ``why`` speaks of."""
    paths = [re.split(r"[.\[\]]+", path.rstrip("]"))[-1] for path in _PATH.findall(why)]
    return list(dict.fromkeys([*paths, *_METRIC.findall(why)]))


@router.post("/quarantine/{id}/preview", **door(Action.READ, "quarantine", 404))
def preview_message(
    stage: Stage, user: Caller, id: shapes.IdPath, asked: refusals.PreviewRequest
) -> refusals.PreviewShape:
    """Return what the message would become, with ``mapping`` taught; nothing is changed."""
    with stage.office.records.read() as work:
        _message(work, id)
        rows = mappings(work)
        if asked.mapping is not None:
            row = drafted(by(stage, user), **asked.mapping.model_dump())
            _check(work, stage, row, rows)
            rows = [one for one in rows if one.id != row.id] + [row]
    seen = preview(stage.office, id, rows, stage.models)
    with stage.office.records.read() as work:
        known = work.shelf(Device).get(seen.device)
    return _preview(seen, _model(stage, known))


def _model(stage: Backstage, device: Device | None) -> DeviceModel | None:
    return stage.models.get(device.model) if device else None


def _check(work: Work, stage: Backstage, row: Mapped, rows: list[Mapped]) -> None:
    try:
        check(row, register_of(work, stage.models), rows)
    except WrongMapping as error:
        raise Invalid(f"body.mapping.{error.field}", error.reason) from error


def _preview(seen: Preview, model: DeviceModel | None) -> refusals.PreviewShape:
    return refusals.PreviewShape(
        device=seen.device,
        readings=[_reading(one, model) for one in seen.readings if model],
        notes=len(seen.notes),
        refused=seen.refused.why if seen.refused else None,
    )


def _reading(one: Reading, model: DeviceModel | None) -> refusals.ReadingShape:
    metric = model.metric(one.metric) if model else None
    title = metric.title if metric else Words(one.metric, one.metric)
    return refusals.ReadingShape(
        metric=one.metric,
        title=views.bilingual(title),
        unit=metric.unit if metric else "",
        at=views.instant(one.at_ms),
        value=one.value,
    )

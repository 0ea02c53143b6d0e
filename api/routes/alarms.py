"""Alarms: what the rules said."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from aftersales.access import Action
from api import shapes, views
from api.context import Stage, needs
from health.alarm import Alarm

router = APIRouter(prefix="/api/v1", tags=["alarms"])


@router.get("/alarms", dependencies=[needs(Action.READ, "alarm")])
def list_alarms(
    stage: Stage,
    active: bool = True,
    device: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str, Query(max_length=200)] = "",
) -> shapes.Page[shapes.AlarmShape]:
    """Return alarms by id, only those not cleared unless ``active`` is false."""
    equals: dict[str, Any] = {"cleared_at": None} if active else {}
    if device is not None:
        equals["device"] = device
    with stage.office.records.read() as work:
        found = work.shelf(Alarm).find(limit=limit, after=after, **equals)
    following = found[-1].id if len(found) == limit else None
    return shapes.Page(items=[views.alarm(a) for a in found], next=following)

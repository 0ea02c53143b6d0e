"""Alarms: what the rules said."""

from typing import Any

from fastapi import APIRouter

from aftersales.access import Action
from api import shapes, views
from api.context import Caller, Stage, door
from api.scope import scope_of
from health.alarm import Alarm

router = APIRouter(prefix="/api/v1", tags=["alarms"])


@router.get("/alarms", **door(Action.READ, "alarm"))
def list_alarms(
    stage: Stage,
    user: Caller,
    *,
    active: bool = True,
    device: shapes.IdQuery | None = None,
    limit: shapes.Limit = 100,
    after: shapes.After = "",
) -> shapes.Page[shapes.AlarmShape]:
    """Return alarms by id, only those not cleared unless ``active`` is false."""
    equals: dict[str, Any] = {"cleared_at": None} if active else {}
    with stage.office.records.read() as work:
        scope = scope_of(work, user)
        if device is not None:
            equals["device"] = device if scope.sees_device(device) else []
        elif scope.devices is not None:
            equals["device"] = sorted(scope.devices)
        found = work.shelf(Alarm).find(limit=limit + 1, after=after, **equals)
    following = found[limit - 1].id if len(found) > limit else None
    return shapes.Page(items=[views.alarm(a) for a in found[:limit]], next=following)

"""Quarantine: messages that were refused, and why."""

from typing import Annotated

from fastapi import APIRouter, Query

from aftersales.access import Action
from api import shapes, views
from api.context import Stage, door
from api.errors import check_known
from equipment.quarantine import REASONS, Quarantined
from equipment.words import Words

router = APIRouter(prefix="/api/v1", tags=["quarantine"])


@router.get("/quarantine", **door(Action.READ, "quarantine"))
def list_quarantine(
    stage: Stage,
    reason: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")] = None,
    limit: shapes.Limit = 100,
    after: shapes.After = "",
) -> shapes.QuarantinePage:
    """Return refused messages, newest first, and how many there are of each reason."""
    check_known("query.reason", reason, REASONS)
    with stage.office.records.read() as work:
        shelf = work.shelf(Quarantined)
        equals = {} if reason is None else {"reason": reason}
        found = shelf.find(limit=limit + 1, after=after, newest_first=True, **equals)
        counts = {code: shelf.count(reason=code) for code in REASONS}
    return shapes.QuarantinePage(
        items=[_shape(one) for one in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
        counts={code: n for code, n in counts.items() if n},
        titles={code: views.bilingual(title) for code, title in REASONS.items()},
    )


def _shape(one: Quarantined) -> shapes.QuarantinedShape:
    return shapes.QuarantinedShape(
        id=one.id,
        at=one.at,
        reason=one.reason,
        reason_title=views.bilingual(REASONS.get(one.reason, Words(one.reason, one.reason))),
        why=one.why,
        topic=one.topic,
        sender=one.sender,
        payload=one.payload.decode("utf-8", errors="backslashreplace"),
        size=one.size,
    )

"""Mappings: what devices send, and what it was taught to mean."""

from fastapi import APIRouter

from aftersales.access import Action
from api import refusals, shapes, views
from api.context import Caller, Stage, by, door
from api.errors import Invalid
from desk.mappings import mappings, teach, unteach
from equipment.mapped import KINDS, Mapped, WrongMapping

router = APIRouter(prefix="/api/v1", tags=["quarantine"])


@router.get("/mappings", **door(Action.READ, "quarantine"))
def list_mappings(stage: Stage, user: Caller) -> shapes.Page[refusals.MappingShape]:
    """Return every mapping that holds, who taught it and when."""
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        return shapes.Page(items=[_shape(desk, row) for row in mappings(work)])


@router.put("/mappings", **door(Action.UPDATE, "quarantine"))
def put_mapping(
    stage: Stage, user: Caller, asked: refusals.MappingRequest
) -> refusals.MappingShape:
    """Teach what ``sent`` means, in place of what it meant; collectors know it within seconds."""
    try:
        row = teach(stage.office, by(stage, user), **asked.model_dump(), models=stage.models)
    except WrongMapping as error:
        raise Invalid(f"body.{error.field}", error.reason) from error
    with stage.office.records.read() as work:
        return _shape(views.Desk(stage.office, work, user), row)


@router.delete("/mappings/{id}", status_code=204, **door(Action.UPDATE, "quarantine", 404))
def remove_mapping(stage: Stage, user: Caller, id: shapes.IdPath) -> None:
    """Take a mapping back: what is sent is understood again as if it had never been taught."""
    unteach(stage.office, by(stage, user), id)


def _shape(desk: views.Desk, row: Mapped) -> refusals.MappingShape:
    return refusals.MappingShape(
        id=row.id,
        kind=row.kind,
        kind_title=views.bilingual(KINDS[row.kind]),
        sent=row.sent,
        means=row.means,
        model=row.model,
        device=row.device,
        by=row.by,
        by_title=desk.actor_title(row.by),
        at=row.at,
        version=row.version,
    )

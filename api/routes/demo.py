"""The demo's own doors: cause a fault and watch what happens."""

from fastapi import APIRouter

from api import shapes, views
from api.context import Caller, Demo, Stage
from api.errors import NotFound
from equipment.device import BadRecord, Device

router = APIRouter(prefix="/api/v1/demo", tags=["demo"])


def _demo(stage: Stage) -> Demo:
    if stage.demo is None:
        raise NotFound("this is not the demo: nothing is simulated here")
    return stage.demo


@router.get("/modes")
def list_modes(stage: Stage, _user: Caller) -> shapes.Page[shapes.ModeShape]:
    """Return the failure modes that can be caused."""
    modes = _demo(stage).modes
    return shapes.Page(
        items=[
            shapes.ModeShape(id=id, model=model, title=views.bilingual(title))
            for id, model, title in modes
        ]
    )


@router.post("/faults", status_code=201)
def inject(stage: Stage, _user: Caller, asked: shapes.InjectRequest) -> shapes.ModeShape:
    """Let ``device`` develop the fault ``mode`` from now on."""
    demo = _demo(stage)
    with stage.office.records.read() as work:
        device = work.shelf(Device).get(asked.device)
    if device is None:
        raise NotFound(f"device {asked.device!r} is not registered")
    for id, model, title in demo.modes:
        if id == asked.mode and model == device.model:
            demo.inject(device.id, id)
            return shapes.ModeShape(id=id, model=model, title=views.bilingual(title))
    raise BadRecord(f"mode {asked.mode!r} is none that a {device.model} can have")

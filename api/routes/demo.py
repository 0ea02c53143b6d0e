"""The demo's own doors: cause a fault and watch what happens."""

from fastapi import APIRouter

from api import shapes, views
from api.context import Demo, Stage, signed_in_only
from api.errors import Invalid, NotFound
from equipment.device import Device
from equipment.words import Words

router = APIRouter(prefix="/api/v1/demo", tags=["demo"])


def _demo(stage: Stage) -> Demo:
    if stage.demo is None:
        raise NotFound(
            Words("这不是演示系统，没有模拟设备", "this is not the demo: nothing is simulated here")
        )
    return stage.demo


@router.get("/modes", **signed_in_only(404))
def list_modes(stage: Stage) -> shapes.Page[shapes.ModeShape]:
    """Return the failure modes that can be caused."""
    modes = _demo(stage).modes
    return shapes.Page(
        items=[
            shapes.ModeShape(id=id, model=model, title=views.bilingual(title))
            for id, model, title in modes
        ]
    )


@router.post("/faults", status_code=201, **signed_in_only(404))
def inject(stage: Stage, asked: shapes.InjectRequest) -> shapes.ModeShape:
    """Let ``device`` develop the fault ``mode`` from now on."""
    demo = _demo(stage)
    with stage.office.records.read() as work:
        device = work.shelf(Device).get(asked.device)
    if device is None:
        raise NotFound(
            Words(f"没有登记设备 {asked.device}", f"device {asked.device!r} is not registered")
        )
    for id, model, title in demo.modes:
        if id == asked.mode and model == device.model:
            demo.inject(device.id, id)
            return shapes.ModeShape(id=id, model=model, title=views.bilingual(title))
    said = Words(f"{device.model} 没有这种故障模式", f"is none that a {device.model} can have")
    raise Invalid("body.mode", said)

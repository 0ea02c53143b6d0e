"""The process itself: whether it is well, what it counted, and what its API is."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from aftersales.access import Action
from aftersales.ticket import Ticket
from api import shapes
from api.context import Stage, door, signed_in_only
from api.metrics import CONTENT_TYPE, exposition

router = APIRouter(tags=["process"])


@router.get("/healthz", responses={503: {"model": shapes.HealthShape}})
def read_health(stage: Stage, response: Response) -> shapes.HealthShape:
    """Return whether every part of the process is well; 503 when not."""
    unwell = sorted(stage.parts())
    response.status_code = 503 if unwell else 200
    return shapes.HealthShape(ok=not unwell, parts=unwell)


@router.get("/metrics", response_class=PlainTextResponse, **door(Action.READ, "user"))
def read_metrics(request: Request, stage: Stage) -> Response:
    """Return the counts of this process for Prometheus, to those who run it."""
    with stage.office.records.read() as work:
        open_tickets = work.shelf(Ticket).count(state="open")
    text = exposition(
        stage.traffic(),
        open_tickets=open_tickets,
        streams=len(request.app.state.changes),
        unwell=stage.parts(),
    )
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/api/openapi.json", response_class=JSONResponse, **signed_in_only())
def read_openapi(request: Request) -> JSONResponse:
    """Return the description of this API (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())

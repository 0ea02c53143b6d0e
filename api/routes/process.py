"""The process itself: whether it is well, what it counted, and what its API is."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from aftersales.access import Action
from api import shapes
from api.context import Stage, door, signed_in_only
from api.metrics import CONTENT_TYPE, metrics
from api.ops import health, readiness

router = APIRouter(tags=["process"])


@router.get("/healthz", responses={503: {"model": shapes.HealthShape}})
def read_health(stage: Stage, response: Response) -> shapes.HealthShape:
    """Return whether every part of the process runs; 503 when it should be started anew."""
    told = health(stage)
    response.status_code = 200 if told.ok else 503
    return told


@router.get("/readyz", responses={503: {"model": shapes.ReadyShape}})
def read_readiness(stage: Stage, response: Response) -> shapes.ReadyShape:
    """Return whether the process can do its work at the moment; 503 and why when not."""
    told = readiness(stage)
    response.status_code = 200 if told.ok else 503
    return told


@router.get("/metrics", response_class=PlainTextResponse, **door(Action.READ, "user"))
def read_metrics(request: Request, stage: Stage) -> Response:
    """Return the counts of this process for Prometheus, to those who run it."""
    text = metrics(stage, streams=len(request.app.state.changes))
    return Response(text, media_type=CONTENT_TYPE)


@router.get("/api/openapi.json", response_class=JSONResponse, **signed_in_only())
def read_openapi(request: Request) -> JSONResponse:
    """Return the description of this API (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())

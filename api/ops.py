"""Operations: health, readiness and metrics, also on a port of their own beside a part without API.

That port has no login and listens on loopback: it is for the machine's own supervisor and scraper.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import shapes, views
from api.context import Backstage
from api.metrics import CONTENT_TYPE, metrics

Told = shapes.HealthShape | shapes.ReadyShape
Answer = Callable[[Request], Awaitable[Response]]


def health(stage: Backstage) -> shapes.HealthShape:
    """Return whether every part of the process runs."""
    unwell = sorted(stage.parts())
    return shapes.HealthShape(ok=not unwell, parts=unwell)


def readiness(stage: Backstage) -> shapes.ReadyShape:
    """Return whether the process can do its work at the moment."""
    reasons = {part: views.bilingual(why) for part, why in sorted(stage.unready().items())}
    return shapes.ReadyShape(ok=not reasons, reasons=reasons)


def create_ops(stage: Backstage) -> Starlette:
    """Return the application of the port for operations."""
    return Starlette(
        routes=[
            Route("/healthz", _told(lambda: health(stage))),
            Route("/readyz", _told(lambda: readiness(stage))),
            Route("/metrics", _metrics(stage)),
        ]
    )


def _told(ask: Callable[[], Told]) -> Answer:
    async def answer(_request: Request) -> Response:
        told = await run_in_threadpool(ask)
        return JSONResponse(told.model_dump(), 200 if told.ok else 503)

    return answer


def _metrics(stage: Backstage) -> Answer:
    async def answer(_request: Request) -> Response:
        return Response(await run_in_threadpool(metrics, stage), media_type=CONTENT_TYPE)

    return answer

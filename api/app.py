"""The HTTP application: routes, errors, limits, and the pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from api import errors, guard, pages
from api.changes import Changes
from api.context import Backstage
from api.document import described
from api.doorman import Doorman
from api.routes import (
    alarms,
    changes,
    demo,
    devices,
    ingest,
    mappings,
    plans,
    process,
    quarantine,
    session,
    tickets,
)

_PARTS = (
    session,
    devices,
    tickets,
    plans,
    alarms,
    quarantine,
    mappings,
    ingest,
    changes,
    demo,
    process,
)


class Application(FastAPI):
    """FastAPI with our own description of the API."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, made once."""
        self.openapi_schema = self.openapi_schema or described(self)
        return self.openapi_schema


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    await app.state.changes.start()
    yield
    await app.state.changes.stop()


def create_app(stage: Backstage, folder: Path | None = None) -> Application:
    """Return the application that serves ``stage``, with the pages in ``folder`` or the built ones.

    ``state.changes.stop()`` ends every open stream; a server calls it before it waits for them.
    """
    app = Application(
        title="fieldcare",
        version="1",
        lifespan=_running,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.backstage = stage
    app.state.changes = Changes(stage.office.records, stage.office.now)
    app.state.doorman = Doorman()
    errors.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    pages.install(app, folder or pages.built())
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    guard.install(app)
    return app

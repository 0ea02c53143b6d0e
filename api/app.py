"""The HTTP application: routes, errors, limits, and the pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from api import errors
from api.changes import Changes
from api.context import Backstage, Caller
from api.routes import alarms, changes, demo, devices, plans, quarantine, session, tickets
from api.shapes import HealthShape, Problem

BODY_LIMIT = 64 * 1024
_HERE = Path(__file__).parent
PAGES = (_HERE / "static", _HERE.parent / "web" / "dist")
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "content": {"application/problem+json": {}}}
    for code in (401, 403, 404, 409, 413, 422, 429)
}
_NOT_BUILT = (
    "The pages are not built. Run `python web/build.py` (make demo does) and load this again.\n"
    "The API is at /api/v1, described in /api/openapi.json.\n"
)


def create_app(stage: Backstage) -> FastAPI:
    """Return the application that serves ``stage``."""

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        await app.state.changes.start()
        yield
        await app.state.changes.stop()

    app = FastAPI(
        title="fieldcare",
        version="1",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=_PROBLEMS,
    )
    app.state.backstage = stage
    app.state.changes = Changes(stage.office.records)
    errors.install(app)
    app.middleware("http")(_guarded)
    for part in (session, devices, tickets, plans, alarms, quarantine, changes, demo):
        app.include_router(part.router)
    _add_own(app, stage)
    _add_pages(app)
    return app


def _add_own(app: FastAPI, stage: Backstage) -> None:
    @app.get("/healthz", tags=["process"])
    def read_health(response: Response) -> HealthShape:
        """Return whether every part of the process is well; 503 when not."""
        parts = stage.parts()
        response.status_code = 503 if parts else 200
        return HealthShape(ok=not parts, parts=parts)

    @app.get("/api/openapi.json", include_in_schema=False)
    def read_openapi(_user: Caller) -> JSONResponse:
        """Return the description of this API."""
        return JSONResponse(app.openapi())


def _add_pages(app: FastAPI) -> None:
    pages = next((folder for folder in PAGES if (folder / "index.html").is_file()), None)
    if pages is not None and (pages / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=pages / "assets"), name="assets")

    @app.get("/{path:path}", include_in_schema=False)
    def read_page(path: str) -> Response:
        """Return a file of the pages; any other path is the app's, which reads it itself."""
        if path.startswith("api/"):
            raise errors.NotFound(f"there is no /{path[:200]}")
        if pages is None:
            return PlainTextResponse(_NOT_BUILT, 503)
        file = (pages / path).resolve()
        if path and file.is_relative_to(pages.resolve()) and file.is_file():
            return FileResponse(file)
        return FileResponse(pages / "index.html", headers={"Cache-Control": "no-cache"})


async def _guarded(
    request: Request, following: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Refuse foreign origins and bodies over the limit; add the safe headers."""
    refused = _refusal(request)
    response = refused or await following(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refusal(request: Request) -> Response | None:
    if request.method in _SAFE:
        return None
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return errors.problem(403, "Not allowed", f"origin {origin[:200]!r} is not ours")
    if "transfer-encoding" in request.headers:
        return errors.problem(411, "Length required", "the request needs a Content-Length")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_LIMIT:
        return errors.problem(413, "Too large", f"body of {length} bytes, limit {BODY_LIMIT}")
    return None

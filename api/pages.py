"""The pages: what is not the API's is a file of the built pages, or the app, which reads it."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import NotFound
from equipment.words import Words

_HERE = Path(__file__).parent
FOLDERS = (_HERE / "static", _HERE.parent / "web" / "dist")
_ASSETS = "assets/"  # their names hold a hash of their content
_FOR_EVER = "public, max-age=31536000, immutable"
_NOT_BUILT = (
    "The pages are not built. Run `python web/build.py` (make demo does) and load this again.\n"
    "The API is at /api/v1, described in /api/openapi.json.\n"
)


class Pages(StaticFiles):
    """Serves files; any other path gets the app."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at ``path``, else the index."""
        try:
            found = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or path.startswith(_ASSETS):
                raise
            path = "index.html"
            found = await super().get_response(path, scope)
        found.headers["Cache-Control"] = _FOR_EVER if path.startswith(_ASSETS) else "no-cache"
        return found


def install(app: FastAPI, folder: Path | None) -> None:
    """Let ``app`` answer what no endpoint does, with the pages in ``folder`` if there are any."""
    pages = Pages(directory=folder) if folder else PlainTextResponse(_NOT_BUILT, 503)
    unknown = app.router.default

    async def unmatched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await unknown(scope, receive, send)
            return
        path = scope["path"]
        if path == "/api" or path.startswith("/api/") or not _is_plain(path):
            raise NotFound(Words("没有这个地址", f"there is no {path[:200]!r}"))
        await pages(scope, receive, send)

    app.router.default = unmatched


def _is_plain(path: str) -> bool:
    """Return whether ``path`` only leads down: nothing a link of ours would ever hold else."""
    return path.isprintable() and "\\" not in path and ".." not in path.split("/")


def built() -> Path | None:
    """Return the folder of the built pages, None where there are none."""
    return next((folder for folder in FOLDERS if (folder / "index.html").is_file()), None)

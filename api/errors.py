"""One table turns the names of errors into problem details (RFC 9457)."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aftersales.machine import NotPermitted, Refused
from api.changes import TooManyViewers
from desk.tickets import ChangedMeanwhile, UnknownRecord
from equipment.device import BadRecord

_MEDIA = "application/problem+json"


class NotFound(LookupError):
    """There is no such thing, or not for this user; the text says what was asked for."""


class NotSignedIn(PermissionError):
    """The request carries no valid session."""


class NotAllowed(PermissionError):
    """The user's role does not include this; the text says what."""


class TooMany(RuntimeError):
    """A limit was reached; the text says when to try again."""


STATUS: dict[type[Exception], tuple[int, str]] = {
    NotFound: (404, "Not found"),
    NotSignedIn: (401, "Sign in first"),
    NotAllowed: (403, "Not allowed"),
    UnknownRecord: (404, "Not found"),
    ChangedMeanwhile: (409, "Changed meanwhile"),
    NotPermitted: (403, "Not allowed"),
    Refused: (409, "Not possible now"),
    BadRecord: (422, "Invalid value"),
    TooManyViewers: (429, "Too many viewers"),
    TooMany: (429, "Too many requests"),
}


def problem(status: int, title: str, detail: str, errors: Any = ()) -> JSONResponse:
    """Return a problem document; ``errors`` are {field, message} rows."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, media_type=_MEDIA)


def _named(status: int, title: str) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def answer(_request: Request, error: Exception) -> JSONResponse:
        return problem(status, title, str(error))

    return answer


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    rows = [
        {"field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]}
        for e in error.errors()
    ]
    first = f"{rows[0]['field']}: {rows[0]['message']}" if rows else "the request is invalid"
    return problem(422, "Invalid request", first, rows)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), str(error.detail))


def install(app: FastAPI) -> None:
    """Answer every named error of the table, and invalid requests, with a problem document."""
    for kind, (status, title) in STATUS.items():
        app.add_exception_handler(kind, _named(status, title))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)

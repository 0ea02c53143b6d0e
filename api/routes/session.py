"""Signing in and out."""

import asyncio

from fastapi import APIRouter, Request, Response

from aftersales.access import ROLES, Role
from aftersales.user import User
from api import shapes
from api.context import COOKIE, Backstage, Caller, Stage
from api.errors import NotSignedIn, TooMany
from api.views import bilingual
from desk.signing import HASHING, SESSION_LASTS, sign_in, sign_out

router = APIRouter(prefix="/api/v1", tags=["session"])
_WAITING = 32  # password checks that may wait for the two workers
_waiting: set[object] = set()


@router.post("/session")
async def open_session(
    asked: shapes.SignInRequest, request: Request, response: Response, stage: Stage
) -> shapes.SessionShape:
    """Sign in; the session lives in an HttpOnly cookie."""
    user, secret = await _checked(stage, asked)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _shape(user)


async def _checked(stage: Backstage, asked: shapes.SignInRequest) -> tuple[User, str]:
    if len(_waiting) >= _WAITING:
        raise TooMany("too many people sign in at once; try again in a few seconds")
    ticket = object()
    _waiting.add(ticket)
    try:
        office = stage.office
        found = await asyncio.get_running_loop().run_in_executor(
            HASHING,
            lambda: sign_in(office.records, asked.login, asked.password, now=office.now()),
        )
    finally:
        _waiting.discard(ticket)
    if found is None:
        raise NotSignedIn("login or password is wrong")
    return found


@router.get("/session")
def read_session(user: Caller) -> shapes.SessionShape:
    """Return who is signed in."""
    return _shape(user)


@router.delete("/session", status_code=204)
def close_session(request: Request, response: Response, stage: Stage) -> None:
    """Sign out."""
    sign_out(stage.office.records, request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE)


@router.get("/session/hints")
def read_hints(stage: Stage) -> shapes.Page[shapes.Hint]:
    """Return the open logins of the demo; empty anywhere else."""
    logins = stage.demo.logins if stage.demo else ()
    return shapes.Page(
        items=[
            shapes.Hint(login=x.login, password=x.password, role=x.role, title=bilingual(x.title))
            for x in logins
        ]
    )


@router.get("/clock")
def read_clock(stage: Stage) -> shapes.ClockShape:
    """Return the time the system lives in."""
    now = stage.office.now()
    return shapes.ClockShape(now=now, speed=stage.speed, demo=stage.demo is not None)


def _shape(user: User) -> shapes.SessionShape:
    return shapes.SessionShape(
        login=user.id,
        title=bilingual(user.title),
        role=user.role,
        role_title=bilingual(ROLES[Role(user.role)]),
    )

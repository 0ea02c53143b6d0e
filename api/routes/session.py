"""Signing in and out."""

import asyncio
import time

from fastapi import APIRouter, Request, Response

from aftersales.access import ROLES, Role
from aftersales.user import User
from api import shapes
from api.context import Backstage, Caller, Secret, Stage, cookie_name, signed_in_only
from api.document import problems
from api.doorman import Doorman
from api.errors import NotSignedIn
from api.views import bilingual
from desk.signing import HASHING, SESSION_LASTS, sign_in, sign_out
from equipment.words import Words

router = APIRouter(prefix="/api/v1", tags=["session"])


@router.post("/session", responses=problems(401, 429))
async def open_session(
    asked: shapes.SignInRequest, request: Request, response: Response, stage: Stage
) -> shapes.SessionShape:
    """Sign in; the session lives in an HttpOnly cookie."""
    doorman: Doorman = request.app.state.doorman
    address = request.client.host if request.client else ""
    with doorman.admitted(asked.login, address, time.monotonic()):
        user, secret = await _checked(stage, asked)
        doorman.welcome(asked.login, address)
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _shape(user)


async def _checked(stage: Backstage, asked: shapes.SignInRequest) -> tuple[User, str]:
    office, lasts = stage.office, SESSION_LASTS * stage.speed  # in the time the office lives in
    found = await asyncio.get_running_loop().run_in_executor(
        HASHING,
        lambda: sign_in(office.records, asked.login, asked.password, now=office.now(), lasts=lasts),
    )
    if found is None:
        raise NotSignedIn(Words("用户名或密码错误", "login or password is wrong"))
    return found


@router.get("/session", **signed_in_only())
def read_session(user: Caller) -> shapes.SessionShape:
    """Return who is signed in."""
    return _shape(user)


@router.delete("/session", status_code=204)
def close_session(request: Request, response: Response, stage: Stage, secret: Secret) -> None:
    """Sign out; the session's open streams end within seconds."""
    if secret:
        sign_out(stage.office.records, secret)
    response.delete_cookie(
        cookie_name(request),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


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

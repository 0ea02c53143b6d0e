"""What every endpoint has at hand: the desk, who asks, and what they may."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from aftersales.access import Action, Role, may
from aftersales.machine import By
from aftersales.user import User
from api.errors import NotAllowed, NotSignedIn
from desk.office import Office
from desk.signing import signed_in
from equipment.catalog import MODELS, DeviceModel
from equipment.sequence import Tally
from equipment.words import Words

COOKIE = "fieldcare_session"


class DemoLogin(NamedTuple):
    """A login that the demo shows to everybody."""

    login: str
    password: str
    role: Role
    title: Words


@dataclass(frozen=True, slots=True)
class Demo:
    """What only the demo has: open logins, failure modes, and a way to cause one."""

    logins: Sequence[DemoLogin]
    modes: Sequence[tuple[str, str, Words]]
    inject: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Backstage:
    """What the process gives the API. ``parts`` returns what is not well, name -> reason."""

    office: Office
    speed: float = 1.0
    demo: Demo | None = None
    models: dict[str, DeviceModel] = field(default_factory=lambda: dict(MODELS))
    tally: Callable[[str], Tally | None] = lambda _device: None
    planning: Callable[[], bool] = lambda: False
    parts: Callable[[], dict[str, str]] = dict


def backstage(request: Request) -> Backstage:
    """Return what the process gave this app."""
    given: Backstage = request.app.state.backstage
    return given


Stage = Annotated[Backstage, Depends(backstage)]


async def caller(request: Request, stage: Stage) -> User:
    """Return who asks. Raises NotSignedIn."""
    secret = request.cookies.get(COOKIE, "")
    user = None
    if secret:
        office = stage.office
        user = await asyncio.to_thread(signed_in, office.records, secret, now=office.now())
    if user is None:
        raise NotSignedIn("sign in to see this")
    return user


Caller = Annotated[User, Depends(caller)]


def needs(action: Action, object: str) -> Any:
    """Return the dependency that lets pass only users who may do ``action`` on ``object``."""

    def check(user: Caller) -> User:
        if not may(Role(user.role), action, object, own=True):
            raise NotAllowed(f"the role {user.role} may not {action} a {object}")
        return user

    return Depends(check)


def by(stage: Backstage, user: User) -> By:
    """Return ``user`` as the one who does something now."""
    return By(user.id, Role(user.role), stage.office.now(), source="api")

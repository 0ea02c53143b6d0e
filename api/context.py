"""What every endpoint has at hand: the desk, who asks, and what they may."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Request

from aftersales.access import ROLES, Action, Role, may
from aftersales.machine import By
from aftersales.user import User
from api.document import problems
from api.errors import NotAllowed, NotSignedIn
from desk.handing import HandingIn
from desk.office import Office
from desk.signing import signed_in
from equipment.catalog import MODELS, DeviceModel
from equipment.sequence import Tally
from equipment.words import Words
from health.clocks import Heard
from storage.interface import Backlog

COOKIE = "fieldcare_session"
_DOING: dict[Action, Words] = {
    Action.CREATE: Words("新建", "create"),
    Action.READ: Words("查看", "read"),
    Action.UPDATE: Words("更改", "update"),
    Action.APPROVE: Words("批准", "approve"),
}


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


class Timed(NamedTuple):
    """How long something took: (upper bound in s, how many took at most that), and in all."""

    buckets: Sequence[tuple[str, int]] = (("+Inf", 0),)
    total_s: float = 0.0


class Traffic(NamedTuple):
    """What the collector of this process did so far, and what waits in it now.

    ``quarantined`` is by reason, ``rows`` by how they came in time, live, late, ..., ``lag_s`` by
    partition.
    """

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: Mapping[str, int] = {}
    batches: int = 0
    failures: int = 0
    rows: Mapping[str, int] = {}
    wrong_clocks: int = 0
    not_judged: int = 0
    committed: int = 0
    acknowledged: int = 0
    evicted: int = 0
    turned_away: int = 0
    connections: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    storing: Timed = Timed()
    acting: Timed = Timed()
    backlog: Backlog = Backlog()
    backlog_age_s: float = 0.0
    lag_s: Mapping[int, float] = {}


@dataclass(frozen=True, slots=True)
class Backstage:
    """What the process gives the API. ``parts`` returns what does not run, name -> reason.

    ``unready`` returns why it cannot do its work at the moment, though all of it may run.
    ``letterbox`` takes messages of devices; None where no collector runs.
    """

    office: Office
    speed: float = 1.0
    demo: Demo | None = None
    models: dict[str, DeviceModel] = field(default_factory=lambda: dict(MODELS))
    tally: Callable[[str], Tally | None] = lambda _device: None
    heard: Callable[[str], Heard | None] = lambda _device: None
    planning: Callable[[], bool] = lambda: False
    parts: Callable[[], dict[str, str]] = dict
    unready: Callable[[], Mapping[str, Words]] = dict
    traffic: Callable[[], Traffic] = Traffic
    letterbox: HandingIn[Any] | None = None


async def backstage(request: Request) -> Backstage:
    """Return what the process gave this app."""
    given: Backstage = request.app.state.backstage
    return given


Stage = Annotated[Backstage, Depends(backstage)]


def cookie_name(request: Request) -> str:
    """Return the session cookie's name; over TLS no other host or port can set it."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


async def secret_of(request: Request) -> str:
    """Return the session's secret that came along, empty for none."""
    return request.cookies.get(cookie_name(request), "")


Secret = Annotated[str, Depends(secret_of)]


async def caller(secret: Secret, stage: Stage) -> User:
    """Return who asks. Raises NotSignedIn."""
    user = None
    if secret:
        office = stage.office
        user = await asyncio.to_thread(signed_in, office.records, secret, now=office.now())
    if user is None:
        raise NotSignedIn(Words("请先登录", "sign in to see this"))
    return user


Caller = Annotated[User, Depends(caller)]


def door(action: Action, object: str, *statuses: int) -> dict[str, Any]:
    """Return what a route needs so that only users who may do ``action`` on ``object`` pass.

    ``statuses`` are the problems it may answer with besides 401 and 403.
    """

    async def check(user: Caller) -> User:
        role = Role(user.role)
        if not may(role, action, object, own=True):
            doing, who = _DOING[action], ROLES[role]
            raise NotAllowed(
                Words(
                    f"“{who.zh}”无权{doing.zh}此内容（{object}）",
                    f"the role {who.en!r} may not {doing.en} a {object}",
                )
            )
        return user

    return {
        "dependencies": [Depends(check)],
        "responses": problems(401, 403, *statuses),
        "openapi_extra": {"x-needs": {"action": action.value, "object": object}},
    }


def signed_in_only(*statuses: int) -> dict[str, Any]:
    """Return what a route needs that is open to every user; see ``door``."""
    return {
        "dependencies": [Depends(caller)],
        "responses": problems(401, *statuses),
        "openapi_extra": {"x-needs": {}},
    }


def by(stage: Backstage, user: User) -> By:
    """Return ``user`` as the one who does something now."""
    return By(user.id, Role(user.role), stage.office.now(), source="api")

"""Changes: the journal's tail, handed to every viewer through a bounded queue.

A viewer hears only of what its user may see, and nothing more once the session has ended.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from aftersales.user import User
from api.errors import TooMany
from api.scope import Scope, scope_of
from desk.signing import still_signed_in
from equipment.words import Words
from storage.interface import Records, Work

log = logging.getLogger(__name__)
_POLL_S = 0.4
_CHECK_EVERY = 4  # polls between two looks at the sessions
QUEUE = 256
VIEWERS, VIEWERS_EACH = 500, 20
_NOTHING = Scope(frozenset(), frozenset())


class Change(NamedTuple):
    """That something happened, not what: an id of the journal, a type and a subject."""

    id: int
    type: str
    subject: str


@dataclass(eq=False, slots=True)
class Viewer:
    """One open stream of a session. ``None`` in its queue ends it."""

    secret: str
    scope: Scope = _NOTHING
    queue: asyncio.Queue[Change | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    def tell(self, one: Change | None) -> None:
        """Put ``one`` into the queue; when it is full, everything in it becomes one ``reset``."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            one = one and Change(one.id, "reset", "")
        self.queue.put_nowait(one)


class _Look(NamedTuple):
    """What one look at the records found; ``scopes`` has the sessions that still hold."""

    news: Sequence[Change]
    scopes: dict[str, Scope] | None


class Changes:
    """Follows the journal, also what other processes append, and tells all viewers."""

    def __init__(self, records: Records, now: Callable[[], datetime]) -> None:
        self._records, self._now = records, now
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._viewers)

    async def start(self) -> None:
        """Begin to follow the journal."""
        self._task = asyncio.create_task(self._follow(await self.head()))

    async def stop(self) -> None:
        """End every stream. Twice does no harm."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for viewer in self._viewers:
            viewer.tell(None)

    def check_room(self, secret: str) -> None:
        """Raise TooMany when no further stream can be opened in this session."""
        mine = sum(viewer.secret == secret for viewer in self._viewers)
        if len(self._viewers) >= VIEWERS or mine >= VIEWERS_EACH:
            raise TooMany(Words("打开的页面过多", "too many streams are open already"), 30)

    @contextlib.contextmanager
    def listening(self, secret: str) -> Iterator[Viewer]:
        """Give a viewer that hears from now on what the session's user may see."""
        viewer = Viewer(secret)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    async def head(self) -> int:
        """Return the newest id of the journal."""
        return await asyncio.to_thread(self._head)

    async def _follow(self, head: int) -> None:
        polls = 0
        while True:
            await asyncio.sleep(_POLL_S)
            polls += 1
            viewers = tuple(self._viewers)
            try:
                look = await asyncio.to_thread(
                    self._look, head, viewers, check=polls % _CHECK_EVERY == 0
                )
            except Exception:
                log.exception("journal could not be followed")
                continue
            head = look.news[-1].id if look.news else head
            for viewer in self._viewers:
                if viewer in viewers:
                    _tell(viewer, look)
                elif look.news:  # it came while we looked
                    viewer.tell(Change(head, "reset", ""))

    def _head(self) -> int:
        with self._records.read() as work:
            return work.journal.head()

    def _look(self, head: int, viewers: Sequence[Viewer], *, check: bool) -> _Look:
        with self._records.read() as work:
            news = [Change(e.id, e.type, e.subject) for e in work.journal.after(head)]
            scopes = self._scopes(work, viewers) if news or check else None
        return _Look(news, scopes)

    def _scopes(self, work: Work, viewers: Sequence[Viewer]) -> dict[str, Scope]:
        users = still_signed_in(work, (viewer.secret for viewer in viewers), self._now())
        known: dict[User, Scope] = {user: scope_of(work, user) for user in set(users.values())}
        return {secret: known[user] for secret, user in users.items()}


def _tell(viewer: Viewer, look: _Look) -> None:
    """Tell what the viewer could see before or can see now, so that it hears of a loss too."""
    if look.scopes is None:
        return
    scope = look.scopes.get(viewer.secret)
    if scope is None:
        viewer.tell(None)
        return
    for one in look.news:
        if scope.hears(one.type, one.subject) or viewer.scope.hears(one.type, one.subject):
            viewer.tell(one)
    viewer.scope = scope

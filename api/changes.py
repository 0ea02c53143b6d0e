"""Changes: the journal's tail, handed to every viewer through a bounded queue."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from storage.interface import Records

log = logging.getLogger(__name__)
_POLL_S = 0.4
_QUEUE = 256
_VIEWERS = 500


class TooManyViewers(RuntimeError):
    """More open streams than this process serves."""


@dataclass(eq=False, slots=True)
class Viewer:
    """One open stream. ``None`` in its queue ends it."""

    queue: asyncio.Queue[dict[str, Any] | None] = field(
        default_factory=lambda: asyncio.Queue(_QUEUE)
    )
    closed: bool = False


class Changes:
    """Follows the journal, also what other processes append, and tells all viewers."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow the journal."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End every stream."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for viewer in self._viewers:
            viewer.closed = True
            with contextlib.suppress(asyncio.QueueFull):
                viewer.queue.put_nowait(None)

    @contextlib.contextmanager
    def listening(self) -> Iterator[Viewer]:
        """Give a viewer that hears everything from now on."""
        if len(self._viewers) >= _VIEWERS:
            raise TooManyViewers(f"{_VIEWERS} streams are open already")
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    async def _follow(self) -> None:
        head = await asyncio.to_thread(self._head)
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                news = await asyncio.to_thread(self._after, head)
            except Exception:
                log.exception("journal could not be followed")
                continue
            for one in news:
                head = one["id"]
                self._tell(one)

    def _head(self) -> int:
        with self._records.read() as work:
            return work.journal.head()

    def _after(self, head: int) -> list[dict[str, Any]]:
        with self._records.read() as work:
            return [
                {"id": e.id, "type": e.type, "subject": e.subject} for e in work.journal.after(head)
            ]

    def _tell(self, one: dict[str, Any]) -> None:
        for viewer in self._viewers:
            if viewer.queue.full():
                while not viewer.queue.empty():
                    viewer.queue.get_nowait()
                viewer.queue.put_nowait({"id": one["id"], "type": "reset", "subject": ""})
            else:
                viewer.queue.put_nowait(one)

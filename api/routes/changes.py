"""Changes as server-sent events: ids and types only, pages fetch the rest."""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.changes import Change, Changes
from api.context import Secret, signed_in_only

router = APIRouter(prefix="/api/v1", tags=["changes"])
QUIET_S = 15.0


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


@router.get("/events", response_class=EventStream, **signed_in_only(429))
async def stream_changes(request: Request, secret: Secret) -> EventStream:
    """Stream the journal's ids and types from now on; ``reset`` means: fetch everything again.

    A viewer that comes back with Last-Event-ID and missed something gets a ``reset`` first.
    """
    changes: Changes = request.app.state.changes
    changes.check_room(secret)
    seen = request.headers.get("last-event-id", "")[:19]
    head = await changes.head()
    missed = seen.isdecimal() and seen.isascii() and int(seen) != head
    first = Change(head, "reset", "") if missed else None
    return EventStream(lines(changes, secret, first))


async def lines(
    changes: Changes, secret: str, first: Change | None, quiet_s: float = QUIET_S
) -> AsyncIterator[str]:
    """Yield the stream's lines until it is ended, a comment whenever ``quiet_s`` went by."""
    with changes.listening(secret) as viewer:
        yield "retry: 2000\n\n"
        if first is not None:
            yield _event(first)
        while True:
            try:
                one = await asyncio.wait_for(viewer.queue.get(), quiet_s)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if one is None:
                return
            yield _event(one)


def _event(one: Change) -> str:
    return f"id: {one.id}\ndata: {json.dumps(one._asdict())}\n\n"

"""Changes as server-sent events: ids and types only, pages fetch the rest."""

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.changes import Changes
from api.context import Caller

router = APIRouter(prefix="/api/v1", tags=["changes"])
_QUIET_S = 15.0


@router.get("/events", response_class=StreamingResponse)
async def stream_changes(request: Request, _user: Caller) -> StreamingResponse:
    """Stream the journal's ids and types from now on; ``reset`` means: fetch everything again."""
    changes: Changes = request.app.state.changes
    return StreamingResponse(
        _lines(changes), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _lines(changes: Changes) -> AsyncIterator[str]:
    with changes.listening() as viewer:
        yield "retry: 2000\n\n"
        while not viewer.closed:
            try:
                one = await asyncio.wait_for(viewer.queue.get(), _QUIET_S)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if one is None:
                return
            yield f"id: {one['id']}\ndata: {json.dumps(one)}\n\n"

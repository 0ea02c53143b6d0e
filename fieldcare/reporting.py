"""What the process tells of itself: what is not well, what it counted; and how it stops serving."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

from api.context import Traffic
from collector.committer import Committer
from desk.ingest import Ingest
from fieldcare.planner import Planner


def unwell(committer: Committer | None, planner: Planner | None) -> dict[str, str]:
    """Return the parts of this process that are not well, name -> reason."""
    found = {}
    if committer is not None and not committer.alive:
        found["collector"] = "its thread has ended"
    elif committer is not None and committer.failing:
        found["collector"] = "the store refuses; nothing is acknowledged meanwhile"
    if planner is not None and not planner.alive:
        found["planner"] = "its thread has ended"
    return found


def traffic(ingest: Ingest, committer: Committer) -> Traffic:
    """Return what the collector counted."""
    tallies = list(ingest.tallies.values())
    return Traffic(
        received=sum(tally.received for tally in tallies),
        stored=sum(tally.stored for tally in tallies),
        duplicate=sum(tally.duplicate for tally in tallies),
        quarantined=dict(ingest.quarantined),
        batches=committer.batches,
        failures=committer.failures,
        rows=ingest.rows(),
        wrong_clocks=len(ingest.wrong_clocks()),
        not_judged=ingest.not_judged,
    )


class HttpServer(uvicorn.Server):
    """Ends the event streams before it waits for connections, so that Ctrl-C is quick."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM as the wish to end while the block lasts.

        Uvicorn's own repeats them afterwards, which would end the process before the other parts
        have kept their checkpoint.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Wish to end; a second signal, which often follows at once, does not make it hasty."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        await self.config.app.state.changes.stop()  # type: ignore[union-attr]
        await super().shutdown(sockets)

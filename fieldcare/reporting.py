"""What the process tells of itself: what is not well, what it counted; and how it stops serving."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from api.context import Timed, Traffic
from collector.committer import Committer
from collector.endpoint import Endpoint
from collector.histogram import Histogram
from collector.mqtt import Broker
from desk.ingest import Ingest
from desk.office import Office
from equipment.partition import newest_by_partition
from equipment.words import Words
from fieldcare.planner import Planner

_ENDED = Words("其线程已结束，请重启此进程", "its thread has ended; start this process anew")
_STORE_REFUSES = Words(
    "存储拒绝写入，此间不确认任何报文，设备保留数据",
    "the store refuses; nothing is acknowledged meanwhile, devices keep their data",
)
_SPOOL_FULL = Words(
    "InfluxDB 无法写入且本地缓冲已满，此间不确认任何报文",
    "InfluxDB takes nothing and the spool is full; nothing is acknowledged meanwhile",
)
_NOT_LISTENING = Words("尚未开始监听设备", "it does not listen for devices yet")
_BROKER_AWAY = Words("未连接到消息服务器，正在重试", "the broker is away; connecting again")
_NO_RECORDS = Words("业务数据库无法读取", "the database of records cannot be read")


class Threaded(Protocol):
    """A part that is a thread."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """The parts of this process, None for those that run elsewhere.

    ``listener`` is asked for each time: it comes with the start. ``others`` are further threads.
    """

    office: Office
    ingest: Ingest | None = None
    committer: Committer | None = None
    listener: Callable[[], Endpoint | Broker | None] = lambda: None
    planner: Planner | None = None
    others: Mapping[str, Threaded] = field(default_factory=dict)

    def dead(self) -> dict[str, str]:
        """Return the parts that do not run and will not by themselves, name -> why."""
        threads: dict[str, Threaded | None] = {
            "collector": self.committer,
            "planner": self.planner,
            **self.others,
        }
        found = {
            name: "its thread has ended"
            for name, thread in threads.items()
            if thread is not None and not thread.alive
        }
        listener = self.listener()
        if isinstance(listener, Endpoint) and not listener.answers():
            found["listener"] = "its loop does not answer"
        elif isinstance(listener, Broker) and not listener.alive:
            found["listener"] = "its thread has ended"
        return found

    def unready(self) -> dict[str, Words]:
        """Return what keeps this process from its work, part -> why, without any detail."""
        found = dict.fromkeys(self.dead(), _ENDED)
        if self.committer is not None:
            listener = self.listener()
            if self.committer.failing:
                found["store"] = self._refusal()
            if listener is None:
                found["listener"] = _NOT_LISTENING
            elif isinstance(listener, Broker) and not listener.connected:
                found["listener"] = _BROKER_AWAY
        if not self._records_answer():
            found["records"] = _NO_RECORDS
        return found

    def _refusal(self) -> Words:
        behind = self.office.telemetry.backlog()
        return _SPOOL_FULL if behind.batches and behind.why else _STORE_REFUSES

    def _records_answer(self) -> bool:
        try:
            with self.office.records.read() as work:
                work.journal.head()
        except (OSError, SQLAlchemyError):
            return False
        return True

    def traffic(self) -> Traffic:
        """Return what the collector of this process counted; nothing when it runs elsewhere."""
        ingest, committer, listener = self.ingest, self.committer, self.listener()
        if ingest is None or committer is None:
            return Traffic()
        tallies = dict(ingest.tallies)
        messages, size = listener.waiting if listener else (0, 0)
        backlog, now = self.office.telemetry.backlog(), self.office.now().timestamp()
        newest = newest_by_partition(self.office.telemetry.last(list(tallies)))
        oldest_s = now if backlog.oldest_at_ms is None else backlog.oldest_at_ms / 1000
        return Traffic(
            received=sum(tally.received for tally in tallies.values()),
            stored=sum(tally.stored for tally in tallies.values()),
            duplicate=sum(tally.duplicate for tally in tallies.values()),
            quarantined=dict(ingest.quarantined),
            batches=committer.batches,
            failures=committer.failures,
            rows=ingest.rows(),
            wrong_clocks=len(ingest.wrong_clocks()),
            not_judged=ingest.not_judged,
            committed=committer.messages,
            acknowledged=committer.acknowledged,
            evicted=ingest.evicted,
            turned_away=listener.refused if isinstance(listener, Endpoint) else 0,
            connections=int(listener.connected) if listener else 0,
            waiting=messages,
            waiting_bytes=size,
            storing=_timed(committer.storing),
            acting=_timed(committer.acting),
            backlog=backlog,
            backlog_age_s=max(0.0, now - oldest_s),
            lag_s={number: now - at_ms / 1000 for number, at_ms in newest.items()},
        )


def _timed(histogram: Histogram) -> Timed:
    return Timed(histogram.buckets(), histogram.total_s)


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

"""The planner: solves in a process of its own, so that a crash or a long search harms nobody."""

import logging
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures import TimeoutError as Late
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta

from desk.office import Office
from desk.planning import NoPlan, Overtaken, moved_since, plan_visits
from fieldcare.solving import Task, settle, solve_day, warm
from scheduler.plan import DayPlan, Technician, VisitRequest
from scheduler.travel import Travel

log = logging.getLogger(__name__)
_LOOK_S = 0.3
_GRACE_S = 30.0
_SHORTEST_S = 0.05
_OLD_AFTER = timedelta(minutes=10)
_AGAIN_AFTER = timedelta(seconds=15)


class _Stopped(RuntimeError):
    """The planner was told to stop; that is no reason to doubt the last plan."""


class Planner:
    """Plans again whenever tickets or visits changed. One thread, one solver process."""

    def __init__(self, office: Office, travel: Travel, limit_s: float) -> None:
        self._office, self._travel, self._limit_s = office, travel, limit_s
        self._pool: ProcessPoolExecutor | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self.busy = False
        self._overtaken = 0  # times in a row: events come faster than plans are made
        self._again_at = office.now()

    def start(self) -> None:
        """Start the thread, and the solver process, which loads meanwhile."""
        self._executor().submit(warm)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def solvers(self) -> tuple[int, ...]:
        """The ids of the solver processes that run at the moment."""
        pool = self._pool
        return tuple(pool._processes or ()) if pool is not None else ()

    def stop(self) -> None:
        """End; a search under way is given up."""
        self._stopping.set()
        self._kill()
        self._thread.join(5)
        self._kill()  # one that the thread started just then

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=settle)
        return self._pool

    def _kill(self) -> None:
        """Stop the solver process; the next search starts another."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        head = -1
        while not self._stopping.wait(_LOOK_S):
            try:
                head = self._look(head)
            except Exception:
                log.exception("planning failed; the last plan stays")
                self._stopping.wait(_GRACE_S / 10)

    def _look(self, head: int) -> int:
        """Plan if anything moved since ``head`` or the plan grew old; return the new head."""
        now = self._office.now()
        with self._office.records.read() as work:
            if head >= 0 and now < self._again_at and not moved_since(work, head):
                return head
        self.busy = True
        self._again_at = now + _OLD_AFTER
        try:
            head = plan_visits(self._office, self._solve, self._travel)
            self._overtaken = 0
        except Overtaken as error:
            self._again_at = now
            self._overtaken += 1
            log.info("plan overtaken, planning again, faster", extra={"why": str(error)})
        except _Stopped:
            log.info("stopped while planning; the last plan stays")
        finally:
            self.busy = False
        return head

    def _solve(
        self,
        requests: Sequence[VisitRequest],
        technicians: Sequence[Technician],
        now: datetime,
        published: DayPlan | None,
    ) -> DayPlan:
        limit_s = max(_SHORTEST_S, self._limit_s / 2**self._overtaken)
        task = Task(list(requests), list(technicians), self._travel, now, limit_s, published)
        try:
            return self._ask(task)
        except (BrokenProcessPool, CancelledError):
            log.warning("the solver process ended, asking another")
        try:
            return self._ask(task)
        except (BrokenProcessPool, CancelledError) as error:
            raise self._gave_up("the solver process ended") from error

    def _ask(self, task: Task) -> DayPlan:
        if self._stopping.is_set():
            raise _Stopped("told to stop")
        try:
            return self._executor().submit(solve_day, task).result(self._limit_s + _GRACE_S)
        except Late as error:
            self._kill()
            raise self._gave_up(f"no answer within {self._limit_s + _GRACE_S:.0f} s") from error
        except (BrokenProcessPool, CancelledError):
            self._kill()
            raise

    def _gave_up(self, why: str) -> Exception:
        """Return why there is no plan, and see to it that the next attempt comes soon."""
        if self._stopping.is_set():
            return _Stopped(why)
        self._again_at = self._office.now() + _AGAIN_AFTER
        return NoPlan(why)

"""What runs in the solver process: only there is OR-Tools loaded, when it is first needed."""

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.plan import DayPlan, Technician, VisitRequest
from scheduler.travel import Travel


def settle() -> None:
    """Leave Ctrl-C to the parent, and end with it even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def warm() -> None:
    """Load the solver, so that the first plan need not wait for it."""
    _plan_day()


def _plan_day() -> Callable[..., DayPlan]:
    solver: Callable[..., DayPlan] = importlib.import_module("scheduler.solve").plan_day
    return solver


@dataclass(frozen=True, slots=True)
class Task:
    """What ``plan_day`` is asked, in one parcel for the other process."""

    requests: Sequence[VisitRequest]
    technicians: Sequence[Technician]
    travel: Travel
    now: datetime
    limit_s: float
    published: DayPlan | None


def solve_day(task: Task) -> DayPlan:
    """Return the plan of the day; see ``plan_day``."""
    return _plan_day()(
        task.requests,
        task.technicians,
        task.travel,
        now=task.now,
        limit_s=task.limit_s,
        published=task.published,
    )

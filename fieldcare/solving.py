"""What runs in the solver process."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.plan import DayPlan, Technician, VisitRequest
from scheduler.solve import plan_day
from scheduler.travel import Travel


def warm() -> None:
    """Load the solver, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
    return plan_day(
        task.requests,
        task.technicians,
        task.travel,
        now=task.now,
        limit_s=task.limit_s,
        published=task.published,
    )

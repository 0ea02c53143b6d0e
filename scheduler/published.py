"""Published: the day plan that holds, or why there is no new one."""

from dataclasses import dataclass
from datetime import datetime

from equipment.words import Words
from scheduler.plan import DayPlan


@dataclass(frozen=True, slots=True)
class Published:
    """A plan that was checked and kept. ``head`` is the journal id it was made from.

    When a later attempt failed, the plan stays and ``failed_at`` and ``why`` say so.
    """

    id: str
    made_at: datetime
    head: int
    plan: DayPlan
    failed_at: datetime | None = None
    why: Words | None = None

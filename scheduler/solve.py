"""plan_day: who goes where today, in which order, and why not.

    plan = plan_day(requests, technicians, crow_flies(), now=now)
    assert violations(plan, requests, technicians, crow_flies(), now) == []

In one minute: the day is put into whole numbers (``model``). Started visits are facts, frozen ones
are put in place (``pins``). Then visits are taken out of the routes and put back better, again and
again (``search``, on the true cost of ``cost``, each route timed by ``drive``), and CP-SAT picks
the best combination of all routes met (``assemble``). The result is written out as instants and
words (``answer``, ``reasons``). Hard are certificates, shifts with their breaks and the drive home,
pins and earliest starts; lateness, travel, changes and unserved visits cost.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from scheduler.answer import day_plan
from scheduler.assemble import assemble
from scheduler.cost import WEIGHTS, Weights
from scheduler.model import day
from scheduler.pins import freeze
from scheduler.plan import DayPlan, Technician, VisitRequest
from scheduler.search import Search
from scheduler.travel import Travel

EFFORT_PER_S = 150_000  # steps of search work a slow machine does in a second
EFFORT_PER_VISIT = 6000  # beyond which nothing more is found
SEARCH = (0.45, 0.3)  # shares of the limit, an assembly after each
ASSEMBLY = 0.1


def plan_day(
    requests: Sequence[VisitRequest],
    technicians: Sequence[Technician],
    travel: Travel,
    *,
    now: datetime,
    limit_s: float = 2.0,
    published: DayPlan | None = None,
    weights: Weights = WEIGHTS,
    zone: str = "Asia/Shanghai",
    seed: int = 0,
    elapsed: Callable[[], float] = time.monotonic,
) -> DayPlan:
    """Return the best plan found for ``requests`` within about ``limit_s`` seconds.

    Leaving ``published`` costs. ``zone`` is where certificates end and times in words are read.
    The same input gives the same plan, unless the machine is too slow to do the work of
    ``limit_s``; then the time counts. Raises ImpossibleProblem, naming the field and its value.
    """
    problem = day(
        requests,
        technicians,
        travel,
        now=now,
        published=published,
        weights=weights,
        zone=zone,
    )
    started = elapsed()
    frozen = freeze(problem)
    search = Search(problem, frozen, seed)
    effort = min(limit_s * EFFORT_PER_S, len(search.jobs) * EFFORT_PER_VISIT)
    for share in SEARCH:
        search.run(int(effort * share), until=elapsed() + share * limit_s, elapsed=elapsed)
        search.start_from(search.best)
        limit = max(0.0, min(ASSEMBLY * limit_s, started + limit_s - elapsed()))
        search.start_from(assemble(problem, frozen, search.pool, search.best, limit))
    return day_plan(problem, frozen, search.best, now=now, published=published)

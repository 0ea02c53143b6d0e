"""What a plan costs: lateness, unserved visits, travel, and changes to the published plan.

The unit is one second of driving. A new cost is a function here and a row of COSTS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.plan import DayPlan, Stop, VisitRequest


@dataclass(frozen=True, slots=True)
class Weights:
    """What each fault of a plan costs, in seconds of driving.

    ``late_*`` are per second late and ``unserved_*`` per visit, both times 3, 2 or 1 for priority
    1, 2 or 3; ``contractual`` and ``promised`` say which promise the visit has. A promised visit
    is left out for another only in an emergency, any visit only when it cannot be reached.
    ``other_technician`` is per visit that changes hands, ``moved_per_min`` per whole minute its
    start moves beyond ``moved_free_s``.
    """

    travel: int = 1
    late_contractual: int = 30
    late_promised: int = 5
    unserved_contractual: int = 3_000_000
    unserved_promised: int = 500_000
    unserved_other: int = 100_000
    other_technician: int = 1800
    moved_per_min: int = 12
    moved_free_s: int = 900


WEIGHTS = Weights()


def urgency(request: VisitRequest) -> int:
    """Return the factor of a request's priority: 3 for the highest, 1 for the lowest."""
    return 4 - request.priority


def late_rate(request: VisitRequest, weights: Weights) -> int:
    """Return what one second of lateness costs."""
    if request.promised_by is None:
        return 0
    rate = weights.late_contractual if request.contractual else weights.late_promised
    return rate * urgency(request)


def unserved_cost(request: VisitRequest, weights: Weights) -> int:
    """Return what it costs to send nobody."""
    if request.promised_by is None:
        return weights.unserved_other * urgency(request)
    promised = weights.unserved_contractual if request.contractual else weights.unserved_promised
    return promised * urgency(request)


def moved_cost(moved_s: int, weights: Weights) -> int:
    """Return what it costs to move a published start by ``moved_s``, in either direction."""
    return max(0, abs(moved_s) - weights.moved_free_s) // 60 * weights.moved_per_min


@dataclass(frozen=True, slots=True)
class Bill:
    """A plan and what is needed to say what it costs."""

    plan: DayPlan
    requests: Mapping[str, VisitRequest]
    published: Mapping[str, tuple[str, datetime]]
    weights: Weights


def published_starts(plan: DayPlan | None) -> dict[str, tuple[str, datetime]]:
    """Return technician and start of every visit of a plan."""
    routes = plan.routes if plan else ()
    return {stop.request: (r.technician, stop.start_at) for r in routes for stop in r.stops}


def _late(bill: Bill) -> int:
    stops = (stop for route in bill.plan.routes for stop in route.stops)
    return sum(late_rate(bill.requests[s.request], bill.weights) * s.late_s for s in stops)


def _unserved(bill: Bill) -> int:
    missing = (bill.requests[one.request] for one in bill.plan.unserved)
    return sum(unserved_cost(request, bill.weights) for request in missing)


def _travel(bill: Bill) -> int:
    return bill.weights.travel * sum(route.travel_s for route in bill.plan.routes)


def _change(bill: Bill) -> int:
    return sum(
        _changed(bill, route.technician, stop) for route in bill.plan.routes for stop in route.stops
    )


def _changed(bill: Bill, technician: str, stop: Stop) -> int:
    before = bill.published.get(stop.request)
    if before is None:
        return 0
    moved = moved_cost(int((stop.start_at - before[1]).total_seconds()), bill.weights)
    return moved + (bill.weights.other_technician if before[0] != technician else 0)


COSTS: dict[str, Callable[[Bill], int]] = {
    "late": _late,
    "unserved": _unserved,
    "travel": _travel,
    "change": _change,
}


def costs(
    plan: DayPlan,
    requests: Sequence[VisitRequest],
    published: DayPlan | None = None,
    weights: Weights = WEIGHTS,
) -> dict[str, int]:
    """Return what ``plan`` costs, by the names of COSTS."""
    bill = Bill(plan, {r.id: r for r in requests}, published_starts(published), weights)
    return {name: cost(bill) for name, cost in COSTS.items()}

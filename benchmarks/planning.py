"""What a plan is worth: plan_day against sending whoever can be there first.

    python -m benchmarks.planning                  # 50 visits/10 technicians and 200/25, 3 seeds
    python -m benchmarks.planning --seeds 5 --limits 2 10

Seeded days around 18 cities: one visit in eight is an emergency with a contractual 2-hour promise,
the others are promised within the day. Everybody has a base, one to three certificates and lunch.
The reference takes the visits as they are reported and gives each to the certified technician who
can be there first; both are priced by ``scheduler.cost`` and judged by ``scheduler.check``. The
solvers take turns on each day. ``late`` is the sum over all visits.
"""

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from statistics import fmean
from typing import NamedTuple

from scheduler.answer import day_plan
from scheduler.check import violations
from scheduler.cost import WEIGHTS
from scheduler.drive import drive, timetable
from scheduler.model import Day, day
from scheduler.pins import freeze
from scheduler.plan import Break, DayPlan, Place, Shift, Technician, VisitRequest
from scheduler.solve import plan_day
from scheduler.travel import crow_flies

NOW = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)  # 08:00 in the zone of the days
UNTIL = date(2030, 1, 1)
FAMILIES = ("chemistry", "immunoassay", "haematology", "point-of-care", "cold-storage")
DAYS = ((50, 10), (200, 25))  # visits, technicians
TRAVEL = crow_flies()
Solver = Callable[[list[VisitRequest], list[Technician]], DayPlan]


class Figures(NamedTuple):
    """What one plan costs and how long it took."""

    cost: int
    late_min: float
    broken: int
    unserved: int
    travel_h: float
    wall_s: float


def service_day(
    visits: int, technicians: int, seed: int
) -> tuple[list[VisitRequest], list[Technician]]:
    """Return a day whose size of region grows with the team, so that it is always busy."""
    draw = random.Random(seed)
    cities = [(34.75 + draw.gauss(0, 0.35), 113.6 + draw.gauss(0, 0.4)) for _ in range(18)]

    def spot(spread: float) -> Place:
        latitude, longitude = draw.choice(cities)
        return Place(latitude + draw.gauss(0, spread), longitude + draw.gauss(0, spread))

    lunch = Break(NOW + timedelta(hours=3.5), NOW + timedelta(hours=5.5), 3600)
    shift = Shift(NOW, NOW + timedelta(hours=9.5), (lunch,))
    team = [
        Technician(
            f"T{number}",
            spot(0.05),
            (shift,),
            dict.fromkeys(draw.sample(FAMILIES, draw.randint(1, 3)), UNTIL),
        )
        for number in range(technicians)
    ]
    return [_request(draw, f"V{number}", spot(0.08)) for number in range(visits)], team


def _request(draw: random.Random, id: str, place: Place) -> VisitRequest:
    emergency = draw.random() < 0.125
    reported_at = NOW + timedelta(minutes=draw.randint(-30, 60))
    return VisitRequest(
        id,
        place,
        duration_s=draw.randint(2, 5 if emergency else 4) * 900,
        family=draw.choice(FAMILIES),
        earliest_at=reported_at if emergency else None,
        promised_by=reported_at + timedelta(hours=2 if emergency else 9),
        contractual=emergency,
        priority=1 if emergency else draw.randint(2, 3),
    )


def first_there(requests: list[VisitRequest], technicians: list[Technician]) -> DayPlan:
    """Give each visit, as reported, to the certified technician who can be there first."""
    problem = day(
        requests,
        technicians,
        TRAVEL,
        now=NOW,
        published=None,
        weights=WEIGHTS,
        zone="Asia/Shanghai",
    )
    frozen = freeze(problem)
    routes = list(frozen.routes)
    for job in sorted(range(len(requests)), key=lambda j: (problem.opens[j], j)):
        reach = [(_begin(problem, n, (*routes[n], job)), n) for n in problem.allowed[job]]
        begin, number = min(((b, n) for b, n in reach if b is not None), default=(None, -1))
        if begin is not None:
            routes[number] = (*routes[number], job)
    return day_plan(problem, frozen, routes, now=NOW, published=None)


def _begin(problem: Day, number: int, route: tuple[int, ...]) -> int | None:
    """Return when the last visit of a route begins, None where the route is not possible."""
    driven = drive(problem, problem.duties[number], route)
    if driven is None:
        return None
    return timetable(problem, problem.duties[number], route, driven.legs).calls[-1].begin


def measured(solver: Solver, requests: list[VisitRequest], team: list[Technician]) -> Figures:
    """Return the figures of one plan, after the checker has passed it."""
    began = time.perf_counter()
    plan = solver(requests, team)
    wall_s = time.perf_counter() - began
    wrong = violations(plan, requests, team, TRAVEL, NOW)
    if wrong:
        raise SystemExit(f"the checker refuses the plan: {wrong[0].en}")
    contractual = {request.id for request in requests if request.contractual}
    stops = [stop for route in plan.routes for stop in route.stops]
    return Figures(
        plan.cost,
        sum(stop.late_s for stop in stops) / 60,
        sum(stop.late_s > 0 for stop in stops if stop.request in contractual),
        len(plan.unserved),
        sum(route.travel_s for route in plan.routes) / 3600,
        wall_s,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limits", type=float, nargs="+", default=[2.0, 5.0])
    args = parser.parse_args()
    solvers: dict[str, Solver] = {"first there": first_there}
    for limit_s in args.limits:
        solvers[f"plan_day {limit_s:g} s"] = lambda requests, team, limit_s=limit_s: plan_day(
            requests, team, TRAVEL, now=NOW, limit_s=limit_s
        )
    print(
        f"{'day':10}{'solver':16}{'cost':>12}{'late min':>10}{'2 h broken':>12}"
        f"{'unserved':>10}{'travel h':>10}{'wall s':>8}"
    )
    for visits, technicians in DAYS:
        figures: dict[str, list[Figures]] = {name: [] for name in solvers}
        for seed in range(1, args.seeds + 1):
            requests, team = service_day(visits, technicians, seed)
            for name, solver in solvers.items():
                figures[name].append(measured(solver, requests, team))
        for name, runs in figures.items():
            mean = Figures(*(fmean(column) for column in zip(*runs, strict=True)))
            print(
                f"{visits}/{technicians:<7}{name:16}{mean.cost:12,.0f}{mean.late_min:10.0f}"
                f"{mean.broken:12.1f}{mean.unserved:10.1f}{mean.travel_h:10.1f}{mean.wall_s:8.2f}"
            )


if __name__ == "__main__":
    main()

"""Assemble a plan: OR-Tools CP-SAT picks the best combination of the routes a search has met.

Every visit is in one chosen route or unserved, every duty has one route at most. This is the one
file that knows OR-Tools.
"""

from collections import defaultdict
from typing import Any

from ortools.sat.python import cp_model

from scheduler.drive import drive
from scheduler.model import Day
from scheduler.pins import Frozen
from scheduler.search import Pool, Routes

COLUMNS = 6000
WORK_PER_S = 0.5  # CP-SAT's deterministic time per second of limit
FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


def assemble(day: Day, frozen: Frozen, pool: Pool, incumbent: Routes, limit_s: float) -> Routes:
    """Return the cheapest combination of ``pool`` found, ``incumbent`` if there is no better.

    The newest COLUMNS routes of the pool are considered. One worker and deterministic time: the
    same pool gives the same answer, unless the machine is too slow for ``limit_s``.
    """
    now = [(duty, frozenset(route)) for duty, route in enumerate(incumbent) if route]
    columns = list(dict.fromkeys([*now, *list(pool)[-COLUMNS:]]))
    model = cp_model.CpModel()
    taken = {column: model.new_bool_var("") for column in columns}
    unserved = _visits_once(day, frozen, model, taken)
    prices = [(pool[c][0] - _empty(day, c[0])) * var for c, var in taken.items()]
    missing = [day.unserved[job] * var for job, var in unserved.items()]
    model.minimize(sum(prices) + sum(missing))
    for column, var in taken.items():
        model.add_hint(var, column in now)
    if not _solve(model, limit_s, solver := cp_model.CpSolver()):
        return incumbent
    routes: Routes = [()] * len(day.duties)
    for (duty, jobs), var in taken.items():
        if solver.boolean_value(var):
            routes[duty] = pool[duty, jobs][1]
    return routes


def _visits_once(day: Day, frozen: Frozen, model: Any, taken: dict[Any, Any]) -> dict[int, Any]:
    """Let every visit be in one route or unserved, every duty have one route; return the latter."""
    fixed = {job for route in frozen.routes for job in route}
    serving, driving = defaultdict(list), defaultdict(list)
    for (duty, jobs), var in taken.items():
        driving[duty].append(var)
        for job in jobs:
            serving[job].append(var)
    for routes in driving.values():
        model.add_at_most_one(routes)
    free = [job for job, duties in enumerate(day.allowed) if duties and job not in fixed]
    unserved = {job: model.new_bool_var("") for job in free}
    for job, routes in serving.items():
        model.add_exactly_one([*routes, unserved[job]] if job in unserved else routes)
    for job in unserved.keys() - serving.keys():
        model.add(unserved[job] == 1)
    return unserved


def _solve(model: Any, limit_s: float, solver: Any) -> bool:
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_time_in_seconds = limit_s
    solver.parameters.max_deterministic_time = limit_s * WORK_PER_S
    return solver.solve(model) in FOUND


def _empty(day: Day, duty: int) -> int:
    driven = drive(day, day.duties[duty], ())
    return driven.cost if driven else 0

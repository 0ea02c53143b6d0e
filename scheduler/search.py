"""Ruin and recreate: take some neighbouring visits out of their routes, put them back better.

Strings of visits that lie close together are removed and inserted again, each where it costs
least; worse plans are accepted less and less often. Every route met on the way is kept in a pool.
Source: Christiaens and Vanden Berghe, "Slack induction by string removals for vehicle routing
problems", Transportation Science 54(2), 2020.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from scheduler.drive import Driven, drive
from scheduler.model import NEVER, Day
from scheduler.pins import Frozen

RUINED = 8  # visits taken out per step, on average
STRING = 6  # longest run of visits taken out of one route
BLINK = 0.01  # share of insertion places not looked at
BANK = 10  # unserved visits tried again per step
HOT, COLD = 1200.0, 10.0  # seconds of driving by which a step may be worse, first and last
NEAR = 100  # visits that count as neighbours
POOL = 40_000
KNOWN = 200_000

Routes = list[tuple[int, ...]]
Pool = dict[tuple[int, frozenset[int]], tuple[int, tuple[int, ...]]]


class Search:
    """One search: the routes now, the best routes so far, and the pool of all routes met."""

    def __init__(self, day: Day, frozen: Frozen, seed: int) -> None:
        self._day, self._locked = day, frozen.locked
        self._draw = random.Random(seed)
        self._fixed = {job for route in frozen.routes for job in route}
        self._known: dict[tuple[int, tuple[int, ...]], Driven | None] = {}
        self._near = _neighbours(day)
        self.pool: Pool = {}
        self.best: Routes = list(frozen.routes)
        self.best_cost = NEVER
        self.effort = 0
        self.jobs = [job for job, duties in enumerate(day.allowed) if duties]
        self.start_from(list(frozen.routes))
        self._insert(sorted(self._tried(len(self.jobs)), key=self._hurry))
        self.start_from(self.routes)

    def start_from(self, routes: Routes) -> None:
        """Go on from ``routes``, which must be possible; what is in none of them is unserved."""
        self.routes = list(routes)
        self._costs = [self._cost(duty, route) for duty, route in enumerate(routes)]
        self._spare = [self._room(duty, route) for duty, route in enumerate(routes)]
        self._at = {job: duty for duty, route in enumerate(routes) for job in route}
        self._bank = [job for job in self.jobs if job not in self._at]
        self.cost = sum(self._costs) + sum(self._day.unserved[job] for job in self._bank)
        self._remember(range(len(routes)))
        self._note_best()

    def run(self, effort: int, *, until: float, elapsed: Callable[[], float]) -> None:
        """Search until ``effort`` steps of work are done or it is ``until`` by ``elapsed``."""
        if len(self.jobs) == len(self._fixed):
            return
        first, last = self.effort, self.effort + effort
        while self.effort < last and elapsed() < until:
            progress = (self.effort - first) / effort
            self._step(HOT * (COLD / HOT) ** progress)
            self.effort += 1

    def _step(self, heat: float) -> None:
        kept = self._state()
        touched = set(self._ruin())
        touched |= set(self._insert(self._ordered(self._tried(BANK + 2 * RUINED))))
        self._remember(touched)
        self._note_best()
        if self.cost > kept[-1] - heat * math.log(1.0 - self._draw.random()):
            self.routes, self._costs, self._spare, self._at, self._bank, self.cost = kept

    def _state(self) -> tuple[Routes, list[int], list[int], dict[int, int], list[int], int]:
        return (
            list(self.routes),
            list(self._costs),
            list(self._spare),
            dict(self._at),
            list(self._bank),
            self.cost,
        )

    def _note_best(self) -> None:
        if self.cost < self.best_cost:
            self.best, self.best_cost = list(self.routes), self.cost

    def _tried(self, most: int) -> list[int]:
        """Take up to ``most`` unserved visits out of the bank, and return them."""
        tried, self._bank = self._bank[:most], self._bank[most:]
        self.cost -= sum(self._day.unserved[job] for job in tried)
        return tried

    def _ruin(self) -> Iterable[int]:
        """Take strings of visits around a random one out of their routes."""
        seed = self._draw.choice(self.jobs)
        budget = self._draw.randint(1, 2 * RUINED - 1)
        touched: set[int] = set()
        for job in self._near[seed]:
            if budget <= 0:
                break
            duty = self._at.get(job)
            if duty is None or duty in touched or job in self._fixed:
                continue
            removed = self._string(duty, job, min(budget, self._draw.randint(1, STRING)))
            left = tuple(j for j in self.routes[duty] if j not in removed)
            if self._drive(duty, left) is None:
                continue
            budget -= len(removed)
            touched.add(duty)
            self._set(duty, left)
            self._take_out(removed)
        return touched

    def _take_out(self, jobs: list[int]) -> None:
        for job in jobs:
            del self._at[job]
            self._bank.insert(0, job)
            self.cost += self._day.unserved[job]

    def _string(self, duty: int, job: int, length: int) -> list[int]:
        """Return up to ``length`` visits of a route in a row, ``job`` among them."""
        route = self.routes[duty]
        place = route.index(job)
        first = self._draw.randint(max(0, place - length + 1), place)
        return [j for j in route[first : first + length] if j not in self._fixed]

    def _hurry(self, job: int) -> tuple[int, int, int]:
        """Sort key: the dearest to leave out first, then the earliest promise."""
        return -self._day.unserved[job], self._day.due[job], job

    def _ordered(self, jobs: list[int]) -> list[int]:
        day, lot = self._day, self._draw.random()
        if lot < 0.4:
            self._draw.shuffle(jobs)
            return jobs
        if lot < 0.7:
            return sorted(jobs, key=self._hurry)
        if lot < 0.85:
            return sorted(jobs, key=lambda job: (len(day.allowed[job]), -day.duration[job], job))
        return sorted(jobs, key=lambda job: (-day.duration[job], job))

    def _insert(self, jobs: Sequence[int]) -> Iterable[int]:
        """Put each of ``jobs`` where it costs least, or in the bank where that costs less."""
        touched = set()
        for job in jobs:
            found = self._cheapest(job)
            if found is None:
                self._bank.append(job)
                self.cost += self._day.unserved[job]
            else:
                self._set(*found)
                self._at[job] = found[0]
                touched.add(found[0])
        return touched

    def _cheapest(self, job: int) -> tuple[int, tuple[int, ...]] | None:
        """Return the duty and its route with ``job`` in the best place, None for nowhere."""
        best, found = self._day.unserved[job], None
        weight = self._day.weights.travel
        for detour, duty, place in self._places(job):
            if detour * weight >= best:
                break
            route = self.routes[duty]
            longer = (*route[:place], job, *route[place:])
            driven = self._drive(duty, longer)
            if driven is not None and driven.cost - self._costs[duty] < best:
                best, found = driven.cost - self._costs[duty], (duty, longer)
        return found

    def _places(self, job: int) -> list[tuple[int, int, int]]:
        """Return (detour, duty, place) of every place ``job`` might fit in, nearest first."""
        day, found = self._day, []
        place, times = day.place, day.times
        here, from_here = place[job], times[place[job]]
        for number in day.allowed[job]:
            duty, route, before = day.duties[number], self.routes[number], day.duties[number].here
            room = self._spare[number] - day.duration[job]
            if room < 0:
                continue
            for index in range(len(route) + 1):
                after = place[route[index]] if index < len(route) else duty.home
                if index >= self._locked[number] and self._draw.random() >= BLINK:
                    gone = times[before][after] if route or duty.facts else 0
                    detour = times[before][here] + from_here[after] - gone
                    if detour <= room:
                        found.append((detour, number, index))
                before = after
        found.sort()
        self.effort += 1
        return found

    def _drive(self, duty: int, route: tuple[int, ...]) -> Driven | None:
        key = (duty, route)
        if key not in self._known:
            if len(self._known) > KNOWN:
                self._known.clear()
            self._known[key] = drive(self._day, self._day.duties[duty], route)
            self.effort += len(route)
        return self._known[key]

    def _cost(self, duty: int, route: tuple[int, ...]) -> int:
        driven = self._drive(duty, route)
        if driven is None:
            raise AssertionError(f"route {route} of duty {duty} is not possible")
        return driven.cost

    def _set(self, duty: int, route: tuple[int, ...]) -> None:
        cost = self._cost(duty, route)
        self.cost += cost - self._costs[duty]
        self.routes[duty], self._costs[duty] = route, cost
        self._spare[duty] = self._room(duty, route)

    def _room(self, number: int, route: tuple[int, ...]) -> int:
        """Return the time of a duty that is neither driving, work nor break."""
        day, duty = self._day, self._day.duties[number]
        room = duty.end - duty.start - sum(rest[2] for rest in duty.rests)
        here = duty.here
        for job in route:
            room -= day.times[here][day.place[job]] + day.duration[job]
            here = day.place[job]
        return room - (day.times[here][duty.home] if route or duty.facts else 0)

    def _remember(self, duties: Iterable[int]) -> None:
        """Add the routes of ``duties`` to the pool; of the same visits the cheapest order stays."""
        if len(self.pool) > POOL:
            self.pool = dict(list(self.pool.items())[POOL // 2 :])
        for duty in duties:
            route, cost = self.routes[duty], self._costs[duty]
            key = (duty, frozenset(route))
            if route and (key not in self.pool or cost < self.pool[key][0]):
                self.pool[key] = (cost, route)


def _neighbours(day: Day) -> list[list[int]]:
    """Return for each job the NEAR nearest jobs, itself at the head."""
    drives = np.array([[day.times[a][b] for b in day.place] for a in day.place], dtype=np.int64)
    drives = drives.reshape(len(day.place), len(day.place))
    np.fill_diagonal(drives, -1)
    nearest: list[list[int]] = np.argsort(drives, axis=1, kind="stable")[:, :NEAR].tolist()
    return nearest

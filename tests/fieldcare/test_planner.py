"""The planner: plans when something moved, and outlives its solver process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from aftersales.visit import Visit
from desk.office import Office
from desk.tickets import act_on
from fieldcare.planner import Planner
from scheduler.published import Published
from tests.desk import given_desk
from tests.desk.given_desk import TRAVEL, alarm, everything, technician

PATIENCE_S = 30.0
LAMP = alarm("lamp_intensity.warn", component="lamp")


def until(true: Callable[[], Any]) -> Any:
    """Return what is true, as soon as it is."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.02)
    return found


@contextmanager
def planning(office: Office, limit_s: float = 0.2) -> Iterator[Planner]:
    planner = Planner(office, TRAVEL, limit_s)
    planner.start()
    try:
        yield planner
    finally:
        planner.stop()


def visits(office: Office) -> list[str]:
    return [visit.ticket for visit in everything(office, Visit)]


def why(office: Office) -> str:
    """Return why there is no new plan, empty where there is one or none was tried yet."""
    newest = everything(office, Published)[-1:]
    return newest[0].why.en if newest and newest[0].why else ""


def is_there(pid: int) -> bool:
    """Return whether the process still runs; one that ended and was not asked for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # also between opening and reading
        return False


def test_a_new_ticket_is_planned_without_being_asked_for() -> None:
    office = given_desk.office(technician())
    with planning(office):
        act_on(office, [alarm()])
        until(lambda: visits(office) == ["T-000001"])
        act_on(office, [LAMP])
        until(lambda: visits(office) == ["T-000001", "T-000002"])


def test_a_solver_that_was_killed_is_replaced_and_the_next_plan_is_made() -> None:
    office = given_desk.office(technician())
    with planning(office) as planner:
        act_on(office, [alarm()])
        until(lambda: visits(office) == ["T-000001"])
        (pid,) = planner.solvers
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_there(pid))
        act_on(office, [LAMP])
        until(lambda: visits(office) == ["T-000001", "T-000002"])
        assert pid not in planner.solvers


def busy_desk(clock: given_desk.Clock) -> Office:
    """Return a desk with more to plan than fits into a moment."""
    crowd = [technician(f"E{n}", home_latitude=30.6 + n / 50) for n in range(8)]
    office = given_desk.office(*crowd, now=clock)
    act_on(office, [alarm(f"r{n}", component=f"c{n}") for n in range(60)])
    return office


def test_a_solver_killed_at_work_is_replaced_at_once() -> None:
    office = busy_desk(given_desk.Clock())
    with planning(office, limit_s=2.0) as planner:
        (pid,) = until(lambda: planner.busy and planner.solvers)
        time.sleep(0.3)  # it is at work, or still loading; both must be survived
        os.kill(pid, signal.SIGKILL)
        until(lambda: visits(office))
        assert why(office) == ""


def test_a_solver_that_ends_again_and_again_leaves_the_reason_and_is_asked_later() -> None:
    clock = given_desk.Clock()
    office = busy_desk(clock)
    with planning(office, limit_s=2.0) as planner:
        for _ in range(2):
            (pid,) = until(lambda: planner.busy and planner.solvers)
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: pid not in planner.solvers)
        until(lambda: why(office) == "no new plan: the solver process ended")
        assert visits(office) == []
        clock.at += timedelta(seconds=20)
        until(lambda: visits(office))
        assert why(office) == ""


def test_being_stopped_at_work_is_no_failure() -> None:
    office = busy_desk(given_desk.Clock())
    with planning(office, limit_s=5.0) as planner:
        until(lambda: planner.busy and planner.solvers)
        (pid,) = planner.solvers
        time.sleep(0.2)
    until(lambda: not is_there(pid))
    assert everything(office, Published) == []

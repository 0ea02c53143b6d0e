"""plan_day, seen by a dispatcher: one small day per rule."""

import subprocess
import sys
from datetime import date, timedelta
from itertools import permutations

import pytest

from scheduler.check import violations
from scheduler.cost import costs
from scheduler.plan import DayPlan
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from tests.scheduler.given_day import (
    NOW,
    at,
    lunch,
    near,
    request,
    service_day,
    shift,
    technician,
)

TRAVEL = crow_flies()


def planned(requests, technicians, now=NOW, **other) -> DayPlan:
    """Return the plan, judged."""
    plan = plan_day(
        requests, technicians, TRAVEL, now=now, **{"limit_s": 0.3, "elapsed": lambda: 0.0, **other}
    )
    assert violations(plan, requests, technicians, TRAVEL, now) == []
    return plan


def order(plan: DayPlan) -> dict[str, list[str]]:
    return {route.technician: [s.request for s in route.stops] for route in plan.routes}


def why_not(plan: DayPlan, request: str = "V1"):
    return next(one.why for one in plan.unserved if one.request == request)


def test_only_a_certified_technician_is_sent_however_far():
    crew = [technician("A", "haematology"), technician("B", "chemistry", home=near(60))]
    assert order(planned([request()], crew)) == {"B": ["V1"]}


def test_a_certificate_counts_until_its_last_day_in_the_local_zone():
    expires = technician("A", certificates={"chemistry": date(2026, 11, 24)})
    evening = shift("18:00", "23:50")
    tonight = technician("A", certificates={"chemistry": date(2026, 11, 24)}, shifts=(evening,))
    tomorrow = technician(
        "A", certificates={"chemistry": date(2026, 11, 24)}, shifts=(shift(day=1),)
    )
    assert order(planned([request()], [expires])) == {"A": ["V1"]}
    assert order(planned([request()], [tonight])) == {"A": ["V1"]}
    assert "expired" in why_not(planned([request()], [tomorrow])).en


def test_the_drive_home_is_duty():
    far = request(place=near(60), duration_s=3600)
    there_and_back = planned([far], [technician()]).routes[0]
    needed = there_and_back.home_at - NOW
    for spare_s, served in ((0, True), (-1, False)):
        ends = shift("08:00", "08:01")
        ends = type(ends)(NOW, NOW + needed + timedelta(seconds=spare_s))
        assert bool(planned([far], [technician(shifts=(ends,))]).routes) == served


def test_lunch_is_taken_inside_its_span_and_not_while_working():
    crew = [technician(shifts=(shift("08:00", "17:30", lunch()),))]
    day = [request(f"V{i}", place=near(5 * i), duration_s=100 * 60) for i in range(1, 5)]
    plan = planned(day, crew)
    (rest,) = plan.routes[0].breaks
    assert at("11:30") <= rest.start_at
    assert rest.end_at <= at("13:30")
    assert len(plan.routes[0].stops) == 4


def test_a_visit_that_leaves_no_room_for_lunch_is_not_made():
    crew = [technician(shifts=(shift("11:00", "14:00", lunch()),))]
    plan = planned([request(place=near(1), duration_s=2 * 3600 + 1)], crew)
    assert "break" in why_not(plan).en


def test_nobody_goes_before_the_earliest_start():
    stop = planned([request(earliest_at=at("14:00"))], [technician()]).routes[0].stops[0]
    assert stop.start_at == at("14:00")


def test_the_contractual_promise_goes_before_the_internal_one():
    promise = at("09:00")
    day = [
        request("internal", place=near(15), promised_by=promise),
        request("contract", place=near(-15), promised_by=promise, contractual=True),
    ]
    assert order(planned(day, [technician()])) == {"A": ["contract", "internal"]}


def test_the_higher_priority_goes_first():
    promise = at("08:30")
    day = [
        request("low", place=near(15), promised_by=promise, priority=3),
        request("high", place=near(-15), promised_by=promise, priority=1),
    ]
    assert order(planned(day, [technician()])) == {"A": ["high", "low"]}


def test_who_is_on_the_road_starts_from_there_once_free():
    roaming = technician(at=near(9), free_at=at("10:00"))
    (route,) = planned([request(place=near(10))], [roaming]).routes
    assert at("10:00") < route.stops[0].start_at < at("10:10")


def test_a_visit_pinned_to_a_technician_stays_there_although_another_is_nearer():
    crew = [technician("A"), technician("B", home=near(80))]
    assert order(planned([request(pinned_to="B")], crew)) == {"B": ["V1"]}


def test_a_frozen_visit_begins_at_its_time():
    day = [request("frozen", pinned_to="A", pinned_at=at("10:30"))]
    day += [request(f"V{i}", place=near(20 * i), promised_by=at("10:00")) for i in (1, 2)]
    (route,) = planned(day, [technician()]).routes
    assert {s.request: s.start_at for s in route.stops}["frozen"] == at("10:30")


def test_a_frozen_visit_that_is_overdue_begins_as_soon_as_possible_and_says_so():
    frozen = request("frozen", pinned_to="A", pinned_at=at("08:05"))
    plan = planned([frozen, request("other", place=near(2), priority=1)], [technician()])
    assert order(plan) == {"A": ["frozen", "other"]}
    assert [words.en for words in plan.warnings] == [
        "frozen was fixed for 08:05; A can begin at 08:20 at the earliest"
    ]


def test_two_visits_frozen_at_the_same_time_cannot_both_hold_and_both_are_answered():
    day = [
        request(f"V{i}", pinned_to="A", pinned_at=at("16:00"), duration_s=3000) for i in range(2)
    ]
    plan = planned(day, [technician()])
    assert order(plan) == {"A": ["V0"]}
    assert why_not(plan).zh == "固定给 A 的 16:00 与其班次、休息或其他固定任务冲突"


def test_a_started_visit_stays_whatever_the_rules_say():
    going_on = request(
        "here", family="immunoassay", pinned_to="A", pinned_at=at("07:00"), started=True
    )
    under_way = request("next", place=near(12), pinned_to="A", started=True)
    crew = [technician("A", "chemistry"), technician("B")]
    plan = planned([under_way, request("V1", priority=1), going_on], crew)
    assert order(plan)["A"][:2] == ["here", "next"]
    assert plan.routes[0].stops[0].start_at == at("07:00")
    assert "without a valid certificate" in plan.warnings[0].en


def test_a_started_visit_keeps_a_technician_beyond_the_shift():
    evening = at("17:00")
    started = request(duration_s=3600, pinned_to="A", pinned_at=evening, started=True)
    plan = planned([started], [technician()], now=at("17:10"))
    assert plan.routes[0].stops[0].end_at == at("18:00")
    assert "outside the shift" in plan.warnings[0].en


def test_who_works_until_just_before_the_shift_drives_home_first():
    early = request("early", pinned_to="A", pinned_at=at("06:30"), duration_s=5340, started=True)
    plan = planned([early, request()], [technician()], now=at("07:50"))
    first, second = plan.routes
    assert first.home_at > at("08:00")
    assert second.stops[0].start_at >= first.home_at


def test_a_started_visit_that_overruns_is_not_over_yet():
    started = request(duration_s=3600, pinned_to="A", pinned_at=at("08:30"), started=True)
    plan = planned([started], [technician()], now=at("11:00"))
    assert plan.routes[0].stops[0].end_at == at("11:00")


def test_a_published_plan_is_not_changed_for_a_few_minutes_of_driving():
    day = [request(place=near(10))]
    crew = [technician("A"), technician("B", home=near(1))]
    first = planned(day, [crew[0]])
    kept = planned(day, crew, published=first)
    assert order(planned(day, crew)) == {"B": ["V1"]}
    assert order(kept) == {"A": ["V1"]}
    assert kept.costs["change"] == 0


def test_a_change_that_is_worth_it_is_made_and_counted():
    crew = [technician("A", home=near(70)), technician("B")]
    first = planned([request()], [crew[0]])
    second = planned([request()], crew, published=first)
    assert order(second) == {"B": ["V1"]}
    assert second.costs["change"] >= 1800


def test_a_technician_works_two_shifts_on_two_days():
    tight = (shift("08:00", "10:30"), shift("08:00", "10:30", day=1))
    plan = planned([request("V1"), request("V2", place=near(-10))], [technician(shifts=tight)])
    assert [len(route.stops) for route in plan.routes] == [1, 1]


@pytest.mark.parametrize(
    ("asked", "crew", "zh", "en"),
    [
        (
            {},
            [technician("A", "haematology")],
            "没有工程师持生化分析仪资质",
            "nobody is certified for clinical chemistry analyser",
        ),
        (
            {},
            [technician(shifts=(shift("06:00", "07:59"),))],
            "合格工程师 A 没有剩余班次",
            "no shift of A is left",
        ),
        (
            {"earliest_at": at("20:00")},
            [technician()],
            "没有班次覆盖：20:00 才能开始，合格工程师 A 的班次最晚 17:30 结束",
            "no shift covers the time: it cannot begin before 20:00, "
            "the last shift of A ends at 17:30",
        ),
        (
            {"duration_s": 10 * 3600},
            [technician(), technician("B", shifts=(shift("08:00", "12:00"),))],
            "超出所有合格班次：最接近的 A 最早 18:40 返回，班次 17:30 结束",
            "would end after every qualified shift: A, the closest, would be home at 18:40, "
            "the shift ends at 17:30",
        ),
        (
            {"pinned_to": "Z"},
            [technician()],
            "固定的工程师 Z 不在名单中",
            "pinned to Z, who is not in the team",
        ),
        (
            {"pinned_to": "B"},
            [technician(), technician("B", "haematology")],
            "固定的工程师 B 没有生化分析仪资质",
            "pinned to B, who is not certified for clinical chemistry analyser",
        ),
    ],
)
def test_who_is_not_served_is_told_why(asked, crew, zh, en):
    assert why_not(planned([request(**asked)], crew)) == (zh, en)


def test_what_is_left_out_for_something_more_urgent_says_for_what():
    short = technician(shifts=(shift("08:00", "10:00"),))
    urgent = request("urgent", promised_by=at("09:00"), contractual=True, label="T-000007")
    assert why_not(planned([request(), urgent], [short])).en == (
        "A could go, but their time goes to visits at least as urgent: T-000007"
    )


def test_a_stop_says_why_this_technician():
    day = [request(promised_by=at("10:00"), contractual=True)]
    (stop,) = planned(day, [technician()]).routes[0].stops
    assert stop.why == (
        "持生化分析仪资质，08:20 到达，比承诺早 1 小时 39 分钟，绕行 41 分钟",
        "certified for clinical chemistry analyser, arrives at 08:20, 1 h 39 min before the "
        "promise, a detour of 41 min",
    )


def test_times_in_words_are_those_of_the_zone_asked_for():
    (stop,) = planned([request()], [technician()], zone="UTC").routes[0].stops
    assert "arrives at 00:20" in stop.why.en


def test_the_same_input_gives_the_same_plan():
    day, crew = service_day(30, 6, seed=4)
    assert planned(day, crew) == planned(day, crew)


@pytest.mark.parametrize("seed", range(3))
def test_a_small_day_is_planned_as_well_as_trying_everything(seed):
    day, crew = service_day(5, 1, seed)
    crew = [technician(shifts=(shift("08:00", "17:30", lunch()),))]
    assert planned(day, crew).cost == min(
        _in_order(day, crew, some) for n in range(6) for some in permutations(day, n)
    )


def _in_order(day, crew, some) -> int:
    """Return the cost of visiting ``some`` in this order, by hand; lunch on the best leg."""
    places = [crew[0].home, *(r.place for r in some), crew[0].home]
    drives = TRAVEL.seconds(places)
    best = None
    for leg in range(len(some) + 2):
        clock, late, held = NOW, 0, True
        for i in range(len(some) + 1):
            arrive = clock + timedelta(seconds=int(drives[i, i + 1]))
            if i == leg:
                held &= max(clock, at("11:30")) <= at("12:30")
                arrive = max(arrive, at("11:30")) + timedelta(hours=1)
            if i < len(some):
                clock = max(arrive, some[i].earliest_at or arrive)
                over = (clock - (some[i].promised_by or clock)).total_seconds()
                late += max(0, over) * (30 if some[i].contractual else 5) * (4 - some[i].priority)
                clock += timedelta(seconds=some[i].duration_s)
            else:
                held &= arrive <= at("17:30") and (leg <= i or arrive <= at("12:30"))
        if held:
            best = late if best is None else min(best, late)
    if best is None:
        return 1 << 60
    driven = sum(int(drives[i, i + 1]) for i in range(len(some) + 1)) if some else 0
    missing = [r for r in day if r not in some]
    return int(best + driven + costs(_unserving(missing), missing)["unserved"])


def _unserving(requests) -> DayPlan:
    return plan_day(requests, [technician(shifts=())], TRAVEL, now=NOW, limit_s=0.01)


def test_reading_and_judging_plans_does_not_load_the_solver():
    code = (
        "import sys, scheduler.plan, scheduler.demand, scheduler.check, scheduler.travel;"
        "sys.exit('ortools' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

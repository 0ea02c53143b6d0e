"""Tickets and the plan: what is open, who goes, and what one may do about it."""

from typing import Any

import pytest

from aftersales.access import Role
from scheduler.plan import DayPlan
from scheduler.published import Published
from tests.api import given_api
from tests.api.given_api import HOUR, NOW, World, problem_of

TICKETS = "/api/v1/tickets"


def act(client: Any, event: str, version: int = 1, **more: Any) -> Any:
    asked = {"event": event, "version": version, **more}
    return client.post(f"{TICKETS}/T-000001/actions", json=asked)


def test_tickets_are_listed_newest_first_a_page_at_a_time() -> None:
    client = given_api.busy().browser(Role.DI)
    first = client.get(TICKETS, params={"limit": 2}).json()
    assert [one["id"] for one in first["items"]] == ["T-000003", "T-000002"]
    rest = client.get(TICKETS, params={"limit": 2, "after": first["next"]}).json()
    assert [one["id"] for one in rest["items"]] == ["T-000001"]
    assert rest["next"] is None
    assert rest["counts"] == {"open": 3, "resolved": 0, "closed": 0, "cancelled": 0}


def test_no_tickets_are_an_empty_page() -> None:
    page = World().browser(Role.DI).get(TICKETS).json()
    assert (page["items"], page["next"], page["counts"]["open"]) == ([], None, 0)


def test_a_row_tells_the_promise_the_visit_and_why_nobody_goes() -> None:
    rows = given_api.busy().browser(Role.DI).get(TICKETS).json()["items"]
    waiting, _, served = rows
    assert waiting["unserved"] == {"zh": "无人有证书", "en": "nobody is certified"}
    assert waiting["visit"] is None
    assert served["visit"]["technician_title"]["en"] == "Engineer E1"
    assert served["visit"]["certificate"] is not None
    assert {promise["state"] for promise in served["promises"]} == {"running"}


def test_a_ticket_tells_its_story_and_its_alarms() -> None:
    page = given_api.busy().browser(Role.DI).get(f"{TICKETS}/T-000001").json()
    assert [event["type"] for event in page["timeline"]] == ["ticket.opened"]
    assert [alarm["device"] for alarm in page["alarms"]] == ["CHEM-001"]
    assert page["fault"]["component"] == "wash_station"
    assert {"resolve", "cancel", "acknowledge"} <= {a["event"] for a in page["allowed_actions"]}


def test_a_step_moves_the_ticket_and_names_who_did_it() -> None:
    client = given_api.busy().browser(Role.DI)
    page = act(client, "cancel", reason="wrong device").json()
    assert (page["state"], page["version"]) == ("cancelled", 2)
    (told,) = [event for event in page["timeline"] if event["type"] == "ticket.cancelled"]
    assert told["actor_title"] == {"zh": "用户di", "en": "user di"}
    assert client.get(TICKETS, params={"state": "open"}).json()["counts"]["cancelled"] == 1
    assert len(client.get(TICKETS, params={"state": "cancelled"}).json()["items"]) == 1


@pytest.mark.parametrize("event", ["cancel", "acknowledge"])
def test_a_step_on_an_outdated_version_is_refused(event: str) -> None:
    client = given_api.busy().browser(Role.DI)
    answer = act(client, event, version=2, reason="late")
    assert answer.status_code == 409
    assert problem_of(answer)["title"] == "Changed meanwhile"


def test_the_first_answer_is_offered_until_it_was_given() -> None:
    client = given_api.busy().browser(Role.HA)
    page = act(client, "acknowledge").json()
    assert page["state"] == "open"
    assert "acknowledge" not in {action["event"] for action in page["allowed_actions"]}


@pytest.mark.parametrize("event", ["withdraw", "lapse", "merge", "nonsense", "confirm"])
def test_a_step_that_is_not_for_now_or_not_for_this_role_is_refused(event: str) -> None:
    answer = act(given_api.busy().browser(Role.DI), event)
    assert answer.status_code in (403, 409)
    problem_of(answer)


def test_a_ticket_that_does_not_exist_is_not_found() -> None:
    client = given_api.busy().browser(Role.DI)
    assert client.get(f"{TICKETS}/T-404").status_code == 404
    asked = {"event": "cancel", "version": 1}
    assert client.post(f"{TICKETS}/T-404/actions", json=asked).status_code == 404


def test_the_plan_shows_every_route_to_a_dispatcher() -> None:
    plan = given_api.busy().browser(Role.DI).get("/api/v1/plan").json()
    assert plan["status"] == "fresh"
    assert [[stop["ticket"] for stop in route["stops"]] for route in plan["routes"]] == [
        ["T-000001"],
        ["T-000002"],
    ]
    assert [one["ticket"] for one in plan["unserved"]] == ["T-000003"]
    assert plan["warnings"][0]["en"] == "E2 comes home late"


def test_a_stop_of_a_closed_ticket_is_no_longer_shown() -> None:
    client = given_api.busy().browser(Role.DI)
    act(client, "cancel", reason="wrong device")
    plan = client.get("/api/v1/plan").json()
    assert [route["technician"] for route in plan["routes"]] == ["E2"]


def test_an_accepted_visit_keeps_its_time_in_the_plan() -> None:
    world = given_api.busy()
    world.put(given_api.visit("V1", "T-000001", "E1", state="accepted", window_from=NOW + HOUR / 2))
    (stop,) = world.browser(Role.TE).get("/api/v1/plan").json()["routes"][0]["stops"]
    assert (stop["arrive_at"], stop["state"]) == ("2026-11-24T02:30:00Z", "accepted")


def test_without_a_plan_the_status_says_so() -> None:
    nothing = World().browser(Role.DI).get("/api/v1/plan").json()
    assert (nothing["status"], nothing["routes"]) == ("none", [])
    soon = World(planning=lambda: True).browser(Role.DI).get("/api/v1/plan").json()
    assert soon["status"] == "planning"


def test_a_failed_plan_says_why_but_a_technician_does_not_hear_of_others() -> None:
    world = given_api.busy()
    why = given_api.Words("求解未完成", "no new plan")
    world.put(Published("P2", NOW, 1, DayPlan(NOW), NOW, why))
    told = world.browser(Role.DI).get("/api/v1/plan").json()
    assert (told["status"], told["why"]["en"]) == ("failed", "no new plan")
    assert world.browser(Role.TE).get("/api/v1/plan").json()["why"] is None


def test_faults_are_caused_in_the_demo_only() -> None:
    caused: list[tuple[str, str]] = []
    demo = given_api.demo(lambda device, mode: caused.append((device, mode)))
    client = given_api.busy(demo=demo).browser(Role.DI)
    (mode,) = client.get("/api/v1/demo/modes").json()["items"]
    asked = {"device": "CHEM-001", "mode": mode["id"]}
    assert client.post("/api/v1/demo/faults", json=asked).status_code == 201
    assert caused == [("CHEM-001", "C4")]
    wrong = client.post("/api/v1/demo/faults", json={**asked, "device": "HEMA-001"})
    assert wrong.status_code == 422
    assert problem_of(wrong)["errors"][0]["field"] == "body.mode"
    unknown = client.post("/api/v1/demo/faults", json={**asked, "device": "X"})
    assert unknown.status_code == 404
    real = given_api.busy().browser(Role.DI)
    assert real.get("/api/v1/demo/modes").status_code == 404
    assert real.post("/api/v1/demo/faults", json=asked).status_code == 404

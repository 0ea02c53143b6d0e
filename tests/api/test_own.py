"""A technician sees the own tickets and the own route, and nothing of the others' anywhere."""

import json

import pytest

from aftersales.access import Role
from api.scope import Scope, scope_of
from tests import given
from tests.api import given_api

EVERYWHERE = (
    "/api/v1/overview", "/api/v1/devices", "/api/v1/devices?sort=worst", "/api/v1/plan",
    "/api/v1/devices/CHEM-001", "/api/v1/devices/CHEM-002", "/api/v1/alarms", "/api/v1/tickets",
    "/api/v1/tickets/T-000001", "/api/v1/quarantine",
)  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_no_answer_to_a_technician_names_a_ticket_of_others(path: str) -> None:
    answer = given_api.busy().browser(Role.TE).get(path)
    assert answer.status_code == 200
    assert "T-000002" not in answer.text
    assert "T-000003" not in answer.text


def test_a_technician_counts_only_the_own_tickets() -> None:
    world = given_api.busy()
    mine = world.browser(Role.TE).get("/api/v1/overview").json()
    assert (mine["open_tickets"], mine["unserved"]) == (1, 0)
    listed = world.browser(Role.TE).get("/api/v1/tickets").json()
    assert [row["id"] for row in listed["items"]] == ["T-000001"]
    assert listed["counts"] == {"open": 1, "resolved": 0, "closed": 0, "cancelled": 0}
    everything = world.browser(Role.DI).get("/api/v1/overview").json()
    assert (everything["open_tickets"], everything["unserved"]) == (3, 1)


def test_a_ticket_of_others_does_not_exist_for_a_technician() -> None:
    client = given_api.busy().browser(Role.TE)
    for answer in (
        client.get("/api/v1/tickets/T-000002"),
        client.post(
            "/api/v1/tickets/T-000002/actions", json={"event": "acknowledge", "version": 1}
        ),
    ):
        assert answer.status_code == 404
        given_api.problem_of(answer)


def test_a_technician_sees_only_the_own_route() -> None:
    plan = given_api.busy().browser(Role.TE).get("/api/v1/plan").json()
    assert [route["technician"] for route in plan["routes"]] == ["E1"]
    assert (plan["unserved"], plan["warnings"], plan["costs"]) == ([], [], {})


def test_a_technician_whose_visit_was_cancelled_no_longer_sees_the_ticket() -> None:
    world = given_api.busy()
    client = world.browser(Role.TE)
    world.put(given_api.visit("V1", "T-000001", "E1", state="cancelled"))
    assert client.get("/api/v1/tickets/T-000001").status_code == 404


@pytest.mark.parametrize("role", [Role.CU, Role.BD, Role.OF])
def test_a_role_with_own_devices_sees_none_while_nobody_said_which_are_its_own(role: Role) -> None:
    client = given_api.busy().browser(role)
    assert client.get("/api/v1/devices").json() == {"items": [], "next": None}
    assert client.get("/api/v1/alarms").json()["items"] == []
    assert client.get("/api/v1/overview").json()["devices"] == 0
    assert client.get("/api/v1/overview").json()["states"]["FAILURE"] == 0
    for path in ("", "/series", "/ledger"):
        assert client.get(f"/api/v1/devices/CHEM-001{path}").status_code == 404


def test_an_administrator_sees_devices_but_no_ticket_of_them() -> None:
    rows = given_api.busy().browser(Role.AD).get("/api/v1/devices").json()["items"]
    assert [row["ticket"] for row in rows] == [None, None, None]
    assert "T-0" not in json.dumps(rows)


def test_who_may_not_read_the_quarantine_does_not_learn_how_full_it_is() -> None:
    world = given_api.busy()
    assert world.browser(Role.HA).get("/api/v1/overview").json()["quarantined"] == 0
    assert world.browser(Role.DI).get("/api/v1/overview").json()["quarantined"] == 1


def test_the_scope_hears_of_its_own_tickets_and_devices_only() -> None:
    scope = Scope(frozenset({"T-000001"}), frozenset({"CHEM-001"}))
    assert scope.hears("visit.planned", "T-000001")
    assert not scope.hears("visit.planned", "T-000002")
    assert scope.hears("alarm.raised", "CHEM-001")
    assert not scope.hears("alarm.raised", "CHEM-002")
    assert not scope.hears("anything.new", "CHEM-001")


def test_a_dispatcher_is_not_looked_up_at_all() -> None:
    world = given_api.World(given.site())
    with world.records.read() as work:
        world.secret(Role.DI)
        assert scope_of(work, given_api.user(Role.DI)) == Scope(None, None)

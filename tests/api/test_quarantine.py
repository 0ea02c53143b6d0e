"""What refused messages say over HTTP, and what a person may do about them."""

import json

import pytest

from aftersales.access import Role
from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Registered
from desk.quarantine import next_parcel
from equipment.mapped import Mapped
from equipment.quarantine import Quarantined
from health.bank import Bank
from health.profile import SHIPPED
from tests import given
from tests.api.given_api import World, problem_of
from tests.given import NOW

TOPIC = "fc/v1/S001/CHEM-001/tele"
TEACH = {"kind": "metric", "sent": "temp1", "means": "reaction_bath_temp", "model": "CHEM"}


def ward() -> tuple[World, Ingest, str]:
    """Return a world with one message in quarantine, and the ingest that put it there."""
    world = World(given.site(), given.device())
    ingest = Ingest(
        world.telemetry, world.records, Bank(SHIPPED, {"CHEM-001": "CHEM"}),
        registered={"CHEM-001": Registered("CHEM", "S001")},
        now=lambda: NOW, on_alarms=lambda _alarms: None,
    )  # fmt: skip
    message = {"b": "b", "s": 1, "t": int(NOW.timestamp() * 1000), "m": {"temp1": 37.0}}
    ingest.keep([Arrival("CHEM-001", TOPIC, json.dumps(message).encode())])
    with world.records.read() as work:
        (one,) = work.shelf(Quarantined).find()
    return world, ingest, one.id


def test_a_message_is_shown_whole_with_what_is_wrong_and_what_can_be_taught() -> None:
    world, _, id = ward()
    seen = world.browser("TC").get(f"/api/v1/quarantine/{id}").json()
    assert json.loads(seen["payload"])["m"] == {"temp1": 37.0}
    assert (seen["device"], seen["model"], seen["whole"]) == ("CHEM-001", "CHEM", True)
    assert seen["wrong"] == ["temp1"]
    assert "reaction_bath_temp" in [metric["name"] for metric in seen["metrics"]]
    assert problem_of(world.browser("TC").get("/api/v1/quarantine/none"))["status"] == 404


def test_what_a_message_would_become_is_shown_before_anything_is_taught() -> None:
    world, _, id = ward()
    browser = world.browser("TC")
    before = browser.post(f"/api/v1/quarantine/{id}/preview", json={}).json()
    assert "temp1" in before["refused"]
    after = browser.post(f"/api/v1/quarantine/{id}/preview", json={"mapping": TEACH}).json()
    assert after["refused"] is None
    assert [(r["metric"], r["value"], r["unit"]) for r in after["readings"]] == [
        ("reaction_bath_temp", 37.0, "Cel")
    ]
    wrong = browser.post(
        f"/api/v1/quarantine/{id}/preview", json={"mapping": {**TEACH, "means": "nonsense"}}
    )
    assert problem_of(wrong)["errors"][0]["field"] == "body.mapping.means"
    assert browser.get("/api/v1/mappings").json()["items"] == []


def test_a_message_is_taught_replayed_and_gone() -> None:
    world, ingest, id = ward()
    browser = world.browser("TC")
    taught = browser.put("/api/v1/mappings", json=TEACH).json()
    assert (taught["version"], taught["by"]) == (1, "tc")
    asked = browser.post("/api/v1/quarantine/replays", json={"ids": [id]})
    assert (asked.status_code, asked.json()["state"], asked.json()["total"]) == (202, "waiting", 1)
    with world.records.read() as work:
        ingest.understand(work.shelf(Mapped).find())
    while (arrivals := next_parcel(world.office, asked.json()["id"])) is not None:
        if arrivals:
            ingest.keep(arrivals)
    done = browser.get(f"/api/v1/quarantine/replays/{asked.json()['id']}").json()
    assert (done["state"], done["stored"]) == ("done", 1)
    assert done["results"][0]["outcome"] == "stored"
    assert browser.get("/api/v1/quarantine").json()["items"] == []
    assert browser.delete(f"/api/v1/mappings/{taught['id']}").status_code == 204
    assert problem_of(browser.delete(f"/api/v1/mappings/{taught['id']}"))["status"] == 404
    assert problem_of(browser.get("/api/v1/quarantine/replays/none"))["status"] == 404


def test_a_message_is_discarded_with_a_reason() -> None:
    world, _, id = ward()
    browser = world.browser("AD")
    wrong = browser.post("/api/v1/quarantine/discards", json={"ids": [id], "reason": "because"})
    assert problem_of(wrong)["errors"][0]["field"] == "body.reason"
    done = browser.post("/api/v1/quarantine/discards", json={"ids": [id], "reason": "test"})
    assert done.json() == {"discarded": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**TEACH, "kind": "colour"}, "body.kind"),
        ({**TEACH, "means": "nonsense"}, "body.means"),
        ({**TEACH, "device": "X-9"}, "body.device"),
        ({**TEACH, "sent": "x" * 61}, "body.sent"),
    ],
)
def test_a_mapping_that_cannot_be_meant_names_its_field(body: dict[str, str], field: str) -> None:
    world, _, _ = ward()
    answer = world.browser("TC").put("/api/v1/mappings", json=body)
    assert problem_of(answer)["errors"][0]["field"] == field


def test_a_replay_of_nothing_in_particular_is_refused() -> None:
    world, _, _ = ward()
    answer = world.browser("AD").post("/api/v1/quarantine/replays", json={})
    assert problem_of(answer)["status"] == 422


@pytest.mark.parametrize("role", [Role.TE, Role.AM, Role.AU])
def test_who_only_looks_changes_nothing(role: Role) -> None:
    world, _, id = ward()
    browser = world.browser(role)
    assert browser.get(f"/api/v1/quarantine/{id}").status_code == 200
    for answer in (
        browser.put("/api/v1/mappings", json=TEACH),
        browser.post("/api/v1/quarantine/replays", json={"ids": [id]}),
        browser.post("/api/v1/quarantine/discards", json={"ids": [id], "reason": "test"}),
    ):
        assert problem_of(answer)["status"] == 403

"""Who may ask what: the access table against every operation of the API's description."""

from typing import Any

import pytest

from aftersales.access import Action, Role, may
from tests.api import given_api

OPEN = {
    ("post", "/api/v1/session"), ("delete", "/api/v1/session"),
    ("get", "/api/v1/session/hints"), ("get", "/api/v1/clock"), ("get", "/healthz"),
    ("get", "/readyz"),
}  # fmt: skip
WITH_CREDENTIAL = {("post", "/api/v1/ingest")}
EVERY_USER = {
    ("get", "/api/v1/session"), ("get", "/api/v1/events"), ("get", "/api/v1/demo/modes"),
    ("post", "/api/v1/demo/faults"), ("get", "/api/openapi.json"),
}  # fmt: skip
DOCUMENT = given_api.busy().app.openapi()
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NEEDS = [(m, p, o["x-needs"]) for m, p, o in OPERATIONS if o.get("x-needs")]
BODIES = {"/api/v1/tickets/{id}/actions": {"event": "nonsense", "version": 1}}


def ask(client: Any, method: str, path: str) -> Any:
    address = path.replace("{id}", "T-000001" if "tickets" in path else "CHEM-001")
    return client.request(method, address, json=BODIES.get(path))


def test_every_operation_is_open_or_for_every_user_or_in_the_access_table() -> None:
    told = {(method, path): operation.get("x-needs") for method, path, operation in OPERATIONS}
    assert {key for key, needs in told.items() if needs is None} == OPEN | WITH_CREDENTIAL
    assert {key for key, needs in told.items() if needs == {}} == EVERY_USER


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p, o in OPERATIONS if "x-needs" in o])
def test_whoever_did_not_sign_in_is_told_so(method: str, path: str) -> None:
    answer = ask(given_api.busy().browser(None), method, path)
    assert answer.status_code == 401
    assert given_api.problem_of(answer)["title"] == "Sign in first"


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_ask_exactly_what_the_table_allows(role: Role) -> None:
    client = given_api.busy().browser(role)
    for method, path, needs in NEEDS:
        answer = ask(client, method, path)
        allowed = may(role, Action(needs["action"]), needs["object"], own=True)
        assert (answer.status_code != 403) == allowed, (method, path, answer.text)
        if not allowed:
            assert needs["object"] in given_api.problem_of(answer)["detail"]


def test_a_session_that_has_expired_is_none() -> None:
    world = given_api.busy()
    client = world.browser(Role.DI)
    assert client.get("/api/v1/session").status_code == 200
    world.now += 13 * given_api.HOUR
    assert client.get("/api/v1/session").status_code == 401

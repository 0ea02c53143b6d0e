"""Whatever is sent, the answer is one that the description knows, and never a fault of ours."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from aftersales.access import Role
from api.context import COOKIE
from tests.api import given_api

WORLD = given_api.busy(demo=given_api.demo())
CLIENT = WORLD.browser(Role.AM)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in WORLD.app.openapi()["paths"].items()
    for method, operation in methods.items()
    if path != "/api/v1/events"  # it does not end; see test_changes
}
EXAMPLES = 80

nasty = st.sampled_from(
    [
        b"", b"\x00", b"a\x00b", b"\xff\xfe", b"\xed\xa0\x80", b"%", b"..", b"../..", b"'; --",
        b"NaN", b"-1", b"0", b"1e400", b"9" * 30, b"9" * 5000, b"null", b"true", b"\r\nX: y",
        "设备".encode(), b"\xe2\x80\xae", b"x" * 5000, b"9999-12-31T23:59:59-23:59", b"0001-01-01",
        b"1e18", b"-1e18", b"253402300800", b"2026-02-30", b"2026-01-01T00:00:00+25:00",
    ]
)  # fmt: skip
usual = st.sampled_from(
    [
        b"CHEM-001", b"T-000001", b"T-000002", b"open", b"FAILURE", b"worst", b"4:CHEM-001", b"5",
        b"500", b"malformed", b"wash_vacuum", b"2026-11-24T00:00:00Z", b"1790000000", b"H",
    ]
)  # fmt: skip
value = usual | nasty | st.binary(max_size=8)
instants = st.sampled_from(
    [b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-11-24", b"2026-11-23"]
) | st.datetimes().map(lambda at: f"{at.isoformat()}-12:00".encode())
FITTING: dict[str, st.SearchStrategy[bytes]] = {  # half of the time, so that the rest is reached
    "id": st.sampled_from([b"CHEM-001", b"T-000001", b"T-000002", b"T-000003"]),
    "from": instants,
    "to": instants,
}
text = st.text(max_size=12) | st.sampled_from(["\ud800", "a\udfffb", "\0", "\u202e", "x" * 600])
numbers = st.integers() | st.floats() | st.sampled_from([2**63, 10**400, -(10**30)])
plain = st.none() | st.booleans() | numbers | text
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3)
)
FIELDS: dict[str, Any] = {
    "login": "am", "password": "wrong", "event": "acknowledge", "version": 1,
    "outcome": "repaired", "reason": "why", "device": "CHEM-001", "mode": "C4",
}  # fmt: skip
meant = st.sampled_from(["resolve", "cancel", "reopen", "confirm", "acknowledge", "withdraw"])
objects = st.dictionaries(
    st.sampled_from(sorted(FIELDS)), anything, max_size=3
).map(lambda wrong: {**FIELDS, **wrong})  # fmt: skip
bodies = (
    st.builds(lambda event, version: {**FIELDS, "event": event, "version": version}, meant,
              st.integers(1, 9)).map(json.dumps).map(str.encode)
    | objects.map(json.dumps).map(str.encode)
    | st.just(FIELDS).map(json.dumps).map(str.encode)
    | anything.map(json.dumps).map(str.encode)
    | st.binary(max_size=40)
    | st.sampled_from([b"[" * 30_000, b'{"a":' * 900 + b"1" + b"}" * 900, b"9" * 9000])
)  # fmt: skip
kinds = st.sampled_from(
    ["application/json"] * 5
    + ["application/json; charset=utf-7", "text/plain", "", "multipart/form-data"]
)


@st.composite
def requests(draw: st.DrawFn, name: str) -> dict[str, Any]:
    method, _, path = name.partition(" ")
    operation = OPERATIONS[name]
    query = []
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            id = draw(FITTING["id"] | FITTING["id"] | value.filter(bool))
            path = path.replace("{" + parameter["name"] + "}", quote(id, safe=""))
        elif draw(st.booleans()):
            fitting = FITTING.get(parameter["name"], value) | value
            query.append(f"{parameter['name']}={quote(draw(fitting), safe='')}")
    asked: dict[str, Any] = {"method": method, "url": path + "?" * bool(query) + "&".join(query)}
    if "requestBody" in operation:
        asked["content"] = draw(bodies)
        asked["headers"] = {"Content-Type": draw(kinds)}
    return asked


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_every_answer_is_one_that_the_description_knows(name: str, data: st.DataObject) -> None:
    asked = data.draw(requests(name))
    CLIENT.cookies.set(COOKIE, WORLD.secret(Role.AM))  # the one before may have signed out
    answer = CLIENT.request(**asked)
    CLIENT.cookies.clear()
    known = OPERATIONS[name]["responses"]
    assert str(answer.status_code) in known, answer.text
    assert answer.status_code != 401 or name == "POST /api/v1/session"
    if answer.status_code >= 400:
        given_api.problem_of(answer)
    elif answer.content and "json" in answer.headers["content-type"]:
        answer.json()

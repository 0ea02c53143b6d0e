"""Whatever goes wrong is told as a problem document, in the language of who asks."""

from typing import Any

import pytest

from aftersales.access import Role
from tests.api import given_api
from tests.api.given_api import problem_of

ACTIONS = "/api/v1/tickets/T-000001/actions"


@pytest.mark.parametrize(
    ("accepts", "title"),
    [
        ("zh-CN", "未找到"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "未找到"),
        ("en;q=0.5, zh;q=0.9", "未找到"),
        ("fr, zh-TW;q=0.2", "未找到"),
        ("en", "Not found"),
        ("en-GB,zh;q=0.9", "Not found"),
        ("fr", "Not found"),
        ("", "Not found"),
        ("zh;q=much", "未找到"),
        (",;q=,", "Not found"),
    ],
)
def test_a_problem_speaks_the_language_that_is_preferred(accepts: str, title: str) -> None:
    client = given_api.busy().browser(Role.DI)
    answer = client.get("/api/v1/tickets/T-9", headers={"Accept-Language": accepts})
    assert answer.status_code == 404
    assert problem_of(answer)["title"] == title
    assert answer.headers["content-language"] == ("zh-CN" if title == "未找到" else "en")


def test_a_refused_step_says_why_in_both_languages() -> None:
    client = given_api.busy().browser(Role.DI)
    asked = {"event": "cancel", "version": 1}
    english = client.post(ACTIONS, json=asked)
    chinese = client.post(ACTIONS, json=asked, headers={"Accept-Language": "zh-CN"})
    assert english.status_code == chinese.status_code == 409
    assert problem_of(english)["detail"] == "give a reason"
    assert problem_of(chinese)["detail"] == "请填写原因"
    assert problem_of(chinese)["title"] == "当前无法执行"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/v1/session", {"login": "x"}, "body.password"),
        ("POST", "/api/v1/session", {"login": "", "password": "x"}, "body.login"),
        ("POST", "/api/v1/session", {"login": "a\0b", "password": "x"}, "body.login"),
        ("POST", ACTIONS, {"event": "resolve"}, "body.version"),
        ("POST", ACTIONS, {"event": "Resolve!", "version": 1}, "body.event"),
        ("POST", ACTIONS, {"event": "resolve", "version": 0}, "body.version"),
        (
            "POST", ACTIONS, {"event": "resolve", "version": 1, "outcome": "magic"},
            "body.outcome",
        ),
        ("POST", ACTIONS, {"event": "cancel", "version": 1, "reason": "a\nb"}, "body.reason"),
        ("GET", "/api/v1/devices?state=BROKEN", None, "query.state"),
        ("GET", "/api/v1/devices?limit=0", None, "query.limit"),
        ("GET", "/api/v1/devices?sort=best", None, "query.sort"),
        ("GET", "/api/v1/devices?after=3:A", None, "query.after"),
        ("GET", "/api/v1/devices?silent=perhaps", None, "query.silent"),
        ("GET", "/api/v1/tickets?state=half", None, "query.state"),
        ("GET", "/api/v1/tickets?limit=501", None, "query.limit"),
        ("GET", "/api/v1/quarantine?reason=bad", None, "query.reason"),
        ("GET", "/api/v1/alarms?device=%00", None, "query.device"),
        ("GET", "/api/v1/devices/%00", None, "path.id"),
        ("GET", "/api/v1/devices/CHEM-001/series?points=9", None, "query.points"),
        ("GET", "/api/v1/devices/CHEM-001/series?from=noon", None, "query.from"),
        ("GET", "/api/v1/devices/CHEM-001/series?to=0001-01-01T00:00:00Z", None, "query.to"),
        (
            "GET", "/api/v1/devices/CHEM-001/series?to=9999-12-31T23:59:59-14:00", None,
            "query.to",
        ),
        (
            "GET", "/api/v1/devices/CHEM-001/series?from=2026-02-02&to=2026-02-01", None,
            "query.from",
        ),
    ],
)  # fmt: skip
def test_an_invalid_request_names_the_field(
    method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    client = given_api.busy().browser(Role.DI)
    for language in ("en", "zh-CN"):
        answer = client.request(method, path, json=body, headers={"Accept-Language": language})
        assert answer.status_code == 422, answer.text
        (error,) = problem_of(answer)["errors"]
        assert error["field"] == field
        assert error["message"].isascii() == (language == "en")


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v1/devices/", "/api/v1/devices/A/x/y"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_an_unknown_address_of_the_api_is_a_problem_for_every_method(
    method: str, path: str
) -> None:
    answer = given_api.busy().browser(Role.DI).request(method, path)
    assert answer.status_code == 404
    problem_of(answer)


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/devices"), ("PUT", "/healthz")])
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(method: str, path: str) -> None:
    answer = given_api.busy().browser(Role.DI).request(method, path)
    assert answer.status_code == 405
    problem_of(answer)
    assert "GET" in answer.headers["allow"]


BROKEN_BODIES = {
    "malformed": b'{"login": ',
    "not a number": b'{"login": NaN, "password": Infinity}',
    "lone surrogate": rb'{"login": "\ud800", "password": "\udfff"}',
    "invalid UTF-8": b'{"login": "\xff\xfe", "password": "\xc3"}',
    "deep": b"[" * 60_000,
    "deep object": b'{"login":' * 5000 + b"1" + b"}" * 5000,
    "huge integer": b'{"login": ' + b"9" * 10_000 + b', "password": 1e999}',
    "no object": b'"text"',
    "null": b"null",
    "empty": b"",
    "byte order mark": b'\xef\xbb\xbf{"login": 1}',
    "UTF-16": '{"login": 1}'.encode("utf-16"),
    "too long": b'{"login": "' + b"x" * 60_000 + b'", "password": "x"}',
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
@pytest.mark.parametrize("path", ["/api/v1/session", ACTIONS])
def test_a_body_that_is_none_ends_at_the_door(path: str, body: bytes) -> None:
    client = given_api.busy().browser(Role.DI)
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert problem_of(answer)["errors"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", None]
)
def test_a_body_of_another_kind_is_not_guessed_at(kind: str | None) -> None:
    client = given_api.busy().browser(None)
    headers = {} if kind is None else {"Content-Type": kind}
    body = b'{"login": "di", "password": "x"}'
    answer = client.post("/api/v1/session", content=body, headers=headers)
    assert answer.status_code == 422
    problem_of(answer)


def test_a_fault_of_ours_is_a_problem_too_and_keeps_its_secrets() -> None:
    world = given_api.World()
    client = world.browser(Role.DI)
    client = type(client)(world.app, raise_server_exceptions=False, cookies=client.cookies)
    world.app.state.backstage = None
    answer = client.get("/api/v1/clock", headers={"Accept-Language": "zh"})
    assert answer.status_code == 500
    assert problem_of(answer)["detail"] == "服务器出错，日志里有原因"
    assert answer.headers["x-content-type-options"] == "nosniff"

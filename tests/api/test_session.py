"""Signing in, staying, signing out; and guessing passwords, which must not pay."""

from functools import cache

import pytest
from fastapi.testclient import TestClient

from aftersales.access import Role
from aftersales.user import SignIn, User
from api.context import COOKIE, Demo, DemoLogin
from api.doorman import FREE, LONGEST_S, WAITING, WAITING_EACH, Doorman
from api.errors import TooMany
from desk.signing import SESSIONS_EACH, hashed, sign_in
from equipment.words import Words
from tests.api import given_api
from tests.api.given_api import World

SESSION = "/api/v1/session"
PASSWORD = "correct horse"
RIGHT = {"login": "di", "password": PASSWORD}
WRONG = {"login": "di", "password": "wrong"}


@cache
def person() -> User:
    return User("di", Words("调度员", "dispatcher"), Role.DI, hashed(PASSWORD))


def test_the_right_password_opens_a_session_that_scripts_and_other_sites_cannot_use() -> None:
    client = World(person()).browser(None)
    answer = client.post(SESSION, json=RIGHT)
    assert answer.json() == {
        "login": "di", "title": {"zh": "调度员", "en": "dispatcher"},
        "role": "DI", "role_title": {"zh": "调度员", "en": "dispatcher"},
    }  # fmt: skip
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert client.get(SESSION).json() == answer.json()


def test_over_tls_the_cookie_is_bound_to_this_host_and_to_tls() -> None:
    client = TestClient(World(person()).app, base_url="https://testserver")
    cookie = client.post(SESSION, json=RIGHT).headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=")
    assert "secure" in cookie.lower()
    assert "Path=/" in cookie
    assert client.get(SESSION).status_code == 200
    assert "max-age" in client.get(SESSION).headers["strict-transport-security"]


@pytest.mark.parametrize("asked", [WRONG, {**WRONG, "login": "nobody"}])
def test_a_wrong_password_and_an_unknown_login_are_told_alike(asked: dict[str, str]) -> None:
    answer = World(person()).browser(None).post(SESSION, json=asked)
    assert answer.status_code == 401
    assert given_api.problem_of(answer)["detail"] == "login or password is wrong"
    assert "set-cookie" not in answer.headers


def test_signing_out_ends_the_session_also_for_a_copied_cookie() -> None:
    client = World(person()).browser(None)
    client.post(SESSION, json=RIGHT)
    copied = client.cookies[COOKIE]
    assert client.delete(SESSION).status_code == 204
    client.cookies.set(COOKIE, copied)
    assert client.get(SESSION).status_code == 401


def test_signing_out_without_a_session_is_harmless() -> None:
    assert World().browser(None).delete(SESSION).status_code == 204


def test_a_fast_clock_does_not_shorten_the_session() -> None:
    world = World(person(), speed=120.0)
    client = world.browser(None)
    client.post(SESSION, json=RIGHT)
    world.now += 24 * 5 * given_api.HOUR  # one hour outside
    assert client.get(SESSION).status_code == 200


def test_sessions_of_a_user_are_few_and_the_expired_ones_go() -> None:
    world = World(person())
    for n in range(SESSIONS_EACH + 2):
        world.put(SignIn(f"session {n}", "di", world.now + given_api.HOUR))
    assert sign_in(world.records, "di", PASSWORD, now=world.now) is not None
    with world.records.read() as work:
        assert work.shelf(SignIn).count() == SESSIONS_EACH
    world.now += 13 * given_api.HOUR
    assert sign_in(world.records, "di", PASSWORD, now=world.now) is not None
    with world.records.read() as work:
        assert work.shelf(SignIn).count() == 1


def test_after_some_wrong_passwords_the_next_try_has_to_wait() -> None:
    client = World(person()).browser(None)
    for _ in range(FREE):
        assert client.post(SESSION, json=WRONG).status_code == 401
    answer = client.post(SESSION, json=RIGHT)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "try again" in given_api.problem_of(answer)["detail"]
    other = {"login": "nobody", "password": "wrong"}
    assert client.post(SESSION, json=other).status_code == 401


def fail(doorman: Doorman, times: int, now_s: float = 0.0, address: str = "a") -> None:
    for _ in range(times):
        with doorman.admitted("di", address, now_s):
            pass


def test_the_wait_doubles_up_to_a_minute_and_an_honest_person_gets_in_after_it() -> None:
    doorman, now_s, waits = Doorman(), 0.0, []
    fail(doorman, FREE)
    for _ in range(8):
        waits.append(doorman.wait_s("di", "a", now_s))
        now_s += waits[-1]
        fail(doorman, 1, now_s)
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    with doorman.admitted("di", "a", now_s + LONGEST_S):
        doorman.welcome("di", "a")
    assert doorman.wait_s("di", "a", now_s + LONGEST_S) == 0


def test_guessing_from_one_address_shuts_nobody_out_elsewhere() -> None:
    doorman = Doorman()
    fail(doorman, FREE)
    with pytest.raises(TooMany):
        fail(doorman, 1)
    fail(doorman, 1, address="b")


def test_wrong_tries_are_forgotten_after_a_quarter_of_an_hour() -> None:
    doorman = Doorman()
    fail(doorman, FREE)
    assert doorman.wait_s("di", "a", 901.0) == 0
    fail(doorman, FREE, now_s=901.0)


def test_only_so_many_checks_wait_and_one_address_cannot_take_all_places() -> None:
    doorman = Doorman()
    held = [doorman.admitted(f"u{n}", "a", 0.0) for n in range(WAITING_EACH)]
    for one in held:
        one.__enter__()
    with pytest.raises(TooMany), doorman.admitted("more", "a", 0.0):
        pass
    for n in range(WAITING - WAITING_EACH):
        held.append(doorman.admitted(f"v{n}", f"b{n}", 0.0))
        held[-1].__enter__()
    with pytest.raises(TooMany), doorman.admitted("more", "c", 0.0):
        pass
    for one in held:
        one.__exit__(None, None, None)
    with doorman.admitted("more", "a", 0.0):
        pass


def test_hints_are_shown_by_the_demo_and_by_nothing_else() -> None:
    hint = DemoLogin("di", "open", Role.DI, Words("调度员", "dispatcher"))
    shown = World(demo=Demo([hint], [], lambda _device, _mode: None)).browser(None)
    assert [h["login"] for h in shown.get(f"{SESSION}/hints").json()["items"]] == ["di"]
    assert World().browser(None).get(f"{SESSION}/hints").json()["items"] == []


def test_the_clock_says_what_time_the_desk_lives_in() -> None:
    told = World(speed=60.0).browser(None).get("/api/v1/clock").json()
    assert told == {"now": "2026-11-24T02:00:00Z", "speed": 60.0, "demo": False}

"""Changes reach every open page: ids and types, only of what its user may see, while signed in."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest

from aftersales.access import Role
from api.changes import QUEUE, VIEWERS_EACH, Change, Changes
from api.context import COOKIE
from api.errors import TooMany
from api.routes.changes import lines
from tests import given
from tests.api import given_api
from tests.api.given_api import World

EVENTS = "/api/v1/events"
LONG_S = 20.0


def append(world: World, *subjects: str, type: str = "ticket.opened") -> None:
    with world.records.begin() as work:
        for subject in subjects:
            work.journal.append(given.draft(type, subject=subject, data={"outcome": "secret"}))


def followed(world: World, story: Callable[[Changes], Coroutine[Any, Any, None]]) -> None:
    """Run ``story`` beside changes that follow the world's journal."""

    async def run() -> None:
        changes = Changes(world.records, world.office.now)
        await changes.start()
        try:
            await asyncio.wait_for(story(changes), LONG_S)
        finally:
            await changes.stop()

    asyncio.run(run())


async def heard(viewer: Any) -> Change | None:
    one: Change | None = await asyncio.wait_for(viewer.queue.get(), LONG_S)
    return one


async def settled(world: World, viewer: Any) -> None:
    """Wait until the viewer is followed: it came while nobody looked, so it may hear a reset."""
    append(world, "T-settled", type="alarm.raised")
    await heard(viewer)


def test_a_viewer_hears_ids_types_and_subjects_and_nothing_else() -> None:
    world = given_api.busy()
    secret = world.secret(Role.DI)

    async def story(changes: Changes) -> None:
        with changes.listening(secret) as viewer:
            await settled(world, viewer)
            append(world, "T-000001")
            one = await heard(viewer)
            assert one is not None
            assert one[1:] == ("ticket.opened", "T-000001")

    followed(world, story)


def test_a_technician_hears_of_the_own_tickets_only() -> None:
    world = given_api.busy()
    secret = world.secret(Role.TE)

    async def story(changes: Changes) -> None:
        with changes.listening(secret) as viewer:
            await settled(world, viewer)
            append(world, "T-000002", "T-000003", "T-000001")
            one = await heard(viewer)
            assert one is not None
            assert one.subject == "T-000001"

    followed(world, story)


def test_a_technician_hears_when_a_ticket_is_taken_away() -> None:
    world = given_api.busy()
    secret = world.secret(Role.TE)

    async def story(changes: Changes) -> None:
        with changes.listening(secret) as viewer:
            await settled(world, viewer)
            world.put(given_api.visit("V1", "T-000001", "E2"))
            append(world, "T-000001", type="visit.recalled")
            one = await heard(viewer)
            assert one is not None
            assert one.subject == "T-000001"
            append(world, "T-000001", "CHEM-001", type="ticket.resolved")
            append(world, "CHEM-001", type="alarm.cleared")
            one = await heard(viewer)
            assert one is not None
            assert one.type == "alarm.cleared"

    followed(world, story)


def test_a_viewer_that_does_not_keep_up_is_told_to_fetch_everything() -> None:
    world = given_api.busy()
    secret = world.secret(Role.DI)

    async def story(changes: Changes) -> None:
        with changes.listening(secret) as slow, changes.listening(secret) as quick:
            await settled(world, quick)
            append(world, *["T-000001"] * (QUEUE + 10))
            last = await changes.head()
            while (one := await heard(quick)) is not None and one.id != last:
                pass
            first = await heard(slow)
            assert first is not None
            assert first.type == "reset"
            assert slow.queue.qsize() < QUEUE

    followed(world, story)


def test_signing_out_ends_the_stream() -> None:
    world = given_api.busy()
    client = world.browser(Role.DI)

    async def story(changes: Changes) -> None:
        with changes.listening(client.cookies[COOKIE]) as viewer:
            client.delete("/api/v1/session")
            while await heard(viewer) is not None:
                pass

    followed(world, story)


def test_an_expired_session_ends_the_stream_also_when_the_queue_is_full() -> None:
    world = given_api.busy()
    secret = world.secret(Role.DI)

    async def story(changes: Changes) -> None:
        with changes.listening(secret) as viewer:
            for id in range(QUEUE):
                viewer.tell(Change(id, "ticket.opened", "T-1"))
            world.now += 13 * given_api.HOUR
            while await heard(viewer) is not None:
                pass

    followed(world, story)


def test_one_session_opens_only_so_many_streams() -> None:
    world = given_api.busy()

    async def story(changes: Changes) -> None:
        opened = [changes.listening("mine") for _ in range(VIEWERS_EACH)]
        for one in opened:
            one.__enter__()
        changes.check_room("another's")
        with pytest.raises(TooMany):
            changes.check_room("mine")
        for one in opened:
            one.__exit__(None, None, None)
        changes.check_room("mine")
        assert len(changes) == 0

    followed(world, story)


def test_a_quiet_stream_says_that_it_is_still_there() -> None:
    world = given_api.busy()

    async def story(changes: Changes) -> None:
        stream = lines(changes, world.secret(Role.DI), None, quiet_s=0.01)
        assert await anext(stream) == "retry: 2000\n\n"
        assert await anext(stream) == ": still here\n\n"
        await stream.aclose()  # type: ignore[attr-defined]
        assert len(changes) == 0

    followed(world, story)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[World, str]]:
    world = given_api.busy()
    with given_api.serving(world.app) as (_, port):
        yield world, f"http://127.0.0.1:{port}"


def events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def stream(at: str, secret: str, **headers: Any) -> Any:
    return httpx.stream(
        "GET", f"{at}{EVENTS}", headers={**headers, "Accept-Encoding": "gzip"},
        cookies={COOKIE: secret}, timeout=LONG_S, trust_env=False,
    )  # fmt: skip


def test_events_arrive_over_http_uncompressed_with_their_ids(served: tuple[World, str]) -> None:
    world, at = served
    with stream(at, world.secret(Role.DI)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        append(world, "T-000001")
        one = next(events(answer))
        assert set(one) == {"id", "type", "subject"}
        assert "secret" not in json.dumps(one)


def test_who_missed_events_is_told_to_fetch_everything(served: tuple[World, str]) -> None:
    world, at = served
    append(world, "T-000001")
    with stream(at, world.secret(Role.DI), **{"Last-Event-ID": "1"}) as answer:
        assert next(events(answer))["type"] == "reset"


@pytest.mark.parametrize("seen", ["-1", "x", "9" * 400, "²", ""])
def test_a_strange_last_event_id_is_no_fault_of_ours(served: tuple[World, str], seen: str) -> None:
    world, at = served
    with stream(at, world.secret(Role.DI), **{"Last-Event-ID": seen.encode("latin-1")}) as answer:
        assert answer.status_code == 200


def test_signing_out_ends_the_stream_over_http(served: tuple[World, str]) -> None:
    world, at = served
    secret = world.secret(Role.DI, "leaver")
    with stream(at, secret) as answer:
        httpx.delete(f"{at}/api/v1/session", cookies={COOKIE: secret}, trust_env=False)
        for _ in answer.iter_lines():
            pass


def test_a_server_that_stops_ends_its_streams_first() -> None:
    world = given_api.busy()
    secret = world.secret(Role.DI)
    with (
        given_api.serving(world.app) as (http, port),
        stream(f"http://127.0.0.1:{port}", secret) as answer,
    ):
        for line in answer.iter_lines():  # ends: the server waits longer than we do
            assert line in ("retry: 2000", "")
            http.should_exit = True

"""Gateways hand in messages over HTTP; every one is stored, known already, or put aside."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from api.guard import WIDER
from api.routes.ingest import MESSAGES_LIMIT
from collector.committer import Committer
from collector.letterbox import Letterbox
from desk.ingest import Ingest
from desk.intake import Registered
from desk.register import issue
from equipment.quarantine import REASONS, Quarantined
from fieldcare.wiring import authenticator
from health.bank import Bank
from health.profile import SHIPPED
from tests.api import given_api
from tests.given import BY, NOW

INGEST = "/api/v1/ingest"
NOW_MS = int(NOW.timestamp() * 1000)
TELE = "fc/v1/S001/CHEM-001/tele"


@dataclass
class Hall:
    """A world with a collector in the process, and a client that sends as a gateway."""

    world: given_api.World
    client: TestClient
    secrets: dict[str, str]

    def send(self, *messages: Any, user: str = "S001/GW", **how: Any) -> Any:
        content = how.pop("content", None) or json.dumps(messages).encode()
        return self.client.post(INGEST, content=content, auth=(user, self.secrets[user]), **how)

    def last(self, device: str = "CHEM-001") -> Any:
        return self.world.telemetry.last([device])[device]

    def refused(self) -> list[tuple[str, str | None]]:
        with self.world.records.read() as work:
            return [(one.reason, one.sender) for one in work.shelf(Quarantined).find()]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[given_api.World, Committer]]:
    world = given_api.World()
    models = {"CHEM-001": "CHEM", "CHEM-002": "CHEM", "CHEM-003": "CHEM"}
    sites = {"CHEM-001": "S001", "CHEM-002": "S001", "CHEM-003": "S002"}
    ingest = Ingest(
        world.telemetry, world.records, Bank(SHIPPED, models),
        registered={id: Registered(model, sites[id]) for id, model in models.items()},
        now=lambda: NOW, on_alarms=lambda _alarms: None,
    )  # fmt: skip
    committer = Committer(ingest)
    committer.start()
    yield world, committer
    committer.stop()


@pytest.fixture(scope="module")
def hall(running: tuple[given_api.World, Committer]) -> Iterator[Hall]:
    world, committer = running
    secrets = {user: issue(world.records, user, BY) for user in ("S001/GW", "CHEM-001")}
    box = Letterbox(committer, authenticator(world.records))
    app = given_api.create_app(given_api.Backstage(world.office, letterbox=box))
    with TestClient(app) as client:
        yield Hall(world, client, secrets)


BOOTS = iter(range(10**6))


def tele(boot: str, seq: int = 0, topic: str = TELE, **fields: Any) -> dict[str, Any]:
    payload = {"b": boot, "s": seq, "t": NOW_MS, "m": {"wash_vacuum": -70.0}, **fields}
    return {"topic": topic, "payload": payload}


@pytest.fixture
def boot() -> str:
    return f"boot{next(BOOTS)}"


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_messages_of_a_gateway_are_stored(hall: Hall, boot: str, lines: bool, packed: bool) -> None:
    other = TELE.replace("001/tele", "002/tele")
    messages = [tele(boot), tele(boot, 1, m={"wash_vacuum": -71.5}), tele(boot, topic=other)]
    text = "\n".join(map(json.dumps, messages)) + "\n" if lines else json.dumps(messages)
    content = gzip.compress(text.encode()) if packed else text.encode()
    answer = hall.send(content=content, headers={"Content-Encoding": "gzip"} if packed else {})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "received": 3, "stored": 3, "duplicate": 0, "quarantined": 0, "noted": [],
    }  # fmt: skip
    assert hall.last() == {"wash_vacuum": (NOW_MS, -71.5)}
    assert hall.last("CHEM-002") == {"wash_vacuum": (NOW_MS, -70.0)}


def test_the_same_again_changes_nothing(hall: Hall, boot: str) -> None:
    sent = [tele(boot), tele(boot, 1), tele(boot)]
    first, second = hall.send(*sent).json(), hall.send(*sent).json()
    assert (first["stored"], first["duplicate"]) == (2, 1)
    assert first["noted"] == [{"place": 2, "outcome": "duplicate", "reason": "", "why": ""}]
    assert (second["stored"], second["duplicate"]) == (0, 3)


def test_what_cannot_be_used_is_put_aside_and_named_by_its_place(hall: Hall, boot: str) -> None:
    answer = hall.send(
        tele(boot),
        tele(boot, 1, m={"wash_vacuum": "low"}),
        tele(boot, 2, t=NOW_MS + 90_000_000),
        tele(boot, 3, m={"wash_vacuum": -70.0, "x": 1.0}),
        tele(boot, 4, topic="fc/v1/S002/CHEM-003/tele"),
        tele(boot, 5, topic="fc/v1/S001/CHEM-009/tele"),
        tele(boot, 6, topic="fc/v1/S001/CHEM-001/cmd"),
    ).json()
    counts = (answer["received"], answer["stored"], answer["duplicate"], answer["quarantined"])
    assert counts == (7, 2, 0, 5)
    assert [(one["place"], one["outcome"], one["reason"]) for one in answer["noted"]] == [
        (1, "quarantined", "malformed"),
        (2, "quarantined", "future_time"),
        (3, "stored", "unknown_metric"),
        (4, "quarantined", "foreign_topic"),
        (5, "quarantined", "unknown_device"),
        (6, "quarantined", "foreign_topic"),
    ]
    assert "`$.m.wash_vacuum`" in answer["noted"][0]["why"]
    assert ("foreign_topic", "S001/GW") in hall.refused()


def test_a_device_hands_in_its_own_and_no_other(hall: Hall, boot: str) -> None:
    other = TELE.replace("001/tele", "002/tele")
    answer = hall.send(tele(boot), tele(boot, topic=other), user="CHEM-001").json()
    assert answer["stored"] == 1
    assert [(one["place"], one["reason"]) for one in answer["noted"]] == [(1, "foreign_topic")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic /////w=="},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic Og=="},
        {"Authorization": "Basic AAA6AAA="},
    ],
)
def test_without_a_credential_nothing_is_taken(hall: Hall, headers: dict[str, str]) -> None:
    answer = hall.client.post(INGEST, content=b"[]", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    given_api.problem_of(answer)


@pytest.mark.parametrize(
    ("content", "encoding", "says"),
    [
        (b"", "", "no message"),
        (b"[]", "", "no message"),
        (b"{", "", "line 1 cannot be read"),
        (b"[1]", "", "$[0]"),
        (b'[{"topic":"a"}]', "", "payload"),
        (b'{"topic":"a","payload":1}\n{"topic":1}', "", "line 2 cannot be read"),
        (b"[" * 60_000, "", "cannot be read"),
        (b"[]", "br", "'br' is not gzip"),
        (b"[]", "gzip", "no gzip data"),
        (gzip.compress(b"[]")[:-9], "gzip", "end too early"),
        (gzip.compress(b" " * 9_000_000), "gzip", "bytes unpacked"),
        (
            b"[" + b",".join([b'{"topic":"a","payload":1}'] * (MESSAGES_LIMIT + 1)) + b"]",
            "",
            "more than",
        ),
        (b"\n".join([b'{"topic":"a","payload":1}'] * (MESSAGES_LIMIT + 1)), "", "more than"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    hall: Hall, content: bytes, encoding: str, says: str
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    auth = ("S001/GW", hall.secrets["S001/GW"])
    answer = hall.client.post(INGEST, content=content, auth=auth, headers=headers)
    assert answer.status_code == 422
    assert says in given_api.problem_of(answer)["detail"]


def test_a_body_over_the_limit_is_not_read(hall: Hall) -> None:
    assert hall.send(content=b"x" * (WIDER[INGEST] + 1)).status_code == 413


def test_where_no_collector_runs_it_says_who_takes_messages() -> None:
    answer = given_api.World().browser(None).post(INGEST, content=b"[]")
    assert answer.status_code == 503
    assert "fieldcare collect" in given_api.problem_of(answer)["detail"]


def test_a_store_that_is_behind_asks_to_come_again() -> None:
    world = given_api.World()
    secret = issue(world.records, "CHEM-001", BY)
    box = Letterbox(Committer(world), authenticator(world.records), waiting_messages=0)  # type: ignore[arg-type]
    app = given_api.create_app(given_api.Backstage(world.office, letterbox=box))
    answer = TestClient(app).post(INGEST, json=[tele("b")], auth=("CHEM-001", secret))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    given_api.problem_of(answer)


text = st.text(max_size=12) | st.sampled_from(["\ud800", "\0", TELE, TELE + "\0", "x" * 600])
numbers = st.integers() | st.floats() | st.sampled_from([2**63, 10**400, 1e308, float("nan")])
anything = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
)
payloads = anything | st.fixed_dictionaries(
    {},
    optional={
        "b": anything | st.just("b"),
        "s": anything | st.integers(0, 9),
        "t": anything | st.just(NOW_MS),
        "m": anything | st.dictionaries(st.just("wash_vacuum") | text, numbers | text, max_size=2),
        "r": anything | st.lists(st.tuples(st.just(NOW_MS), anything), max_size=2),
    },
)  # fmt: skip
kinds = st.sampled_from([TELE, *(TELE.replace("tele", k) for k in ("birth", "event", "qc"))])
messages = st.fixed_dictionaries({"topic": kinds | text, "payload": payloads})
bodies = (
    st.lists(messages | anything, max_size=3).map(json.dumps).map(str.encode)
    | st.lists(messages, min_size=1, max_size=3).map(json.dumps).map(str.encode)
    | st.lists(messages).map(lambda some: "\n".join(map(json.dumps, some)).encode())
    | st.binary(max_size=60)
    | st.sampled_from(
        [b'[{"topic":"%s","payload":' % TELE.encode() + b"[" * n for n in (900, 9000)]
    )
    | st.sampled_from([b'{"topic":"a","payload":' + b"[" * n + b"]" * n + b"}" for n in (90, 9000)])
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@drawn(content=bodies)
def test_whatever_is_sent_is_stored_or_put_aside_or_refused(hall: Hall, content: bytes) -> None:
    auth = ("S001/GW", hall.secrets["S001/GW"])
    answer = hall.client.post(INGEST, content=content, auth=auth)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        given_api.problem_of(answer)
        return
    told = answer.json()
    assert told["received"] == told["stored"] + told["duplicate"] + told["quarantined"]
    assert {one["reason"] for one in told["noted"]} <= {"", *REASONS}

"""Whatever the server answers: nothing is lost or doubled, order holds, and the reason is told."""

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest

from equipment.reading import Batch
from storage.blame import blamed, only_forgotten
from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.refused import RefusedLines
from tests.influx_stand_in import (
    CAPTIVE,
    CUT,
    CUT_IN_THE_REPLY,
    GARBAGE,
    NOT_UTF8,
    Fault,
    StandIn,
    refuse_1,
    refuse_2,
    refuse_3,
    refuse_without_a_word,
)
from tests.storage.given_influx import register, settle
from tests.storage.given_telemetry import T0, note, readings

BUCKET_MISSING = Fault(404, '{"code":"not found","message":"bucket \\"fc\\" not found"}')
UNAUTHORISED = Fault(401, '{"code":"unauthorized","message":"unauthorized access"}')


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn().serving() as serving:
        yield serving


def opened(stand_in: StandIn, folder, timeout_s: float = 0.3) -> InfluxTelemetry:
    server = Server(stand_in.url, "fc", "org", "token", timeout_s=timeout_s)
    return InfluxTelemetry(server, folder, register, linger_s=0)


def append_some(store: InfluxTelemetry, start: int = 0, n: int = 30) -> None:
    for at in range(start, start + n):
        store.append(readings(("A", at, float(at)), ("B", at, float(-at))))


def taken(stand_in: StandIn, device: str) -> list[tuple[int, str]]:
    """Points of ``device`` in the order they were first taken: ms after T0, fields."""
    split = [line.rsplit(" ", 2) for line in stand_in.taken]
    mine = [
        (int(at) // 10**6 - T0, fields) for head, fields, at in split if f"device={device}," in head
    ]
    assert all(before < after for (before, _), (after, _) in pairwise(mine)), "order of a device"
    return mine


def until_told(store: InfluxTelemetry, what: str) -> None:
    for _ in range(1000):
        if what in store.backlog().why:
            return
        time.sleep(0.01)
    pytest.fail(f"{what!r} is not in {store.backlog()}")


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param(Fault(429, "slow down", {"Retry-After": "1"}), "asks to wait", id="429"),
        pytest.param(Fault(503, "", {"Retry-After": "0"}), "asks to wait", id="503"),
        pytest.param(Fault(503, "", {"Retry-After": "soon"}), "asks to wait", id="503-soon"),
        pytest.param(Fault(500, "panic"), "the server failed (500 panic)", id="500"),
        pytest.param(UNAUTHORISED, "token of FIELDCARE_TELEMETRY is wrong", id="401"),
        pytest.param(Fault(403, "no"), "may not do this", id="403"),
        pytest.param(BUCKET_MISSING, "`fieldcare migrate` makes it", id="404"),
        pytest.param(Fault(after_s=1.0, takes=True), "Read timed out", id="slow"),
        pytest.param(CUT, "127.0.0.1", id="cut"),
        pytest.param(CUT_IN_THE_REPLY, "127.0.0.1", id="cut-in-the-reply"),
        pytest.param(GARBAGE, "127.0.0.1", id="garbage"),
        pytest.param(NOT_UTF8, "127.0.0.1", id="not-utf8"),
        pytest.param(CAPTIVE, "answered 200, not 204", id="captive"),
    ],
)
def test_a_server_that_fails_is_asked_again_and_the_reason_is_told(stand_in, tmp_path, fault, why):
    with closing(opened(stand_in, tmp_path)) as store:
        append_some(store)
        settle(store)
        stand_in.faults.extend([fault, fault])
        append_some(store, 30)
        until_told(store, why)
        append_some(store, 60)
        settle(store)
        assert store.backlog().why == ""
    for device, sign in (("A", 1), ("B", -1)):
        assert taken(stand_in, device) == [(at, f"temp={float(sign * at)}") for at in range(90)]


def test_it_waits_as_long_as_the_server_says(stand_in, tmp_path):
    stand_in.faults.append(Fault(429, "", {"Retry-After": "1"}))
    with closing(opened(stand_in, tmp_path)) as store:
        began = time.monotonic()
        append_some(store, n=1)
        settle(store)
        assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("refuse", [refuse_1, refuse_2, refuse_3, refuse_without_a_word])
def test_exactly_the_refused_lines_are_set_aside(stand_in, tmp_path, refuse):
    stand_in.refuse = refuse
    stand_in.poison = lambda line: "device=A" in line and " temp=1" in line
    with closing(opened(stand_in, tmp_path)) as store:
        append_some(store, n=20)
        settle(store)
        assert store.refused == 11
        assert store.backlog().why == ""
    bad = [1, *range(10, 20)]
    assert [at for at, _ in taken(stand_in, "A")] == [at for at in range(20) if at not in bad]
    assert [at for at, _ in taken(stand_in, "B")] == list(range(20))
    rows = list(RefusedLines(tmp_path).newest_first())
    assert [row.line for row in reversed(rows)] == [
        f"CHEM,site=S1,device=A,model=CHEM temp={at}.0 {T0 + at}000000" for at in bad
    ]
    assert all(row.why for row in rows)


def test_all_lines_of_a_type_conflict_are_found_at_once(stand_in, tmp_path):
    stand_in.refuse, stand_in.poison = refuse_2, lambda line: line.startswith("CHEM")
    with closing(opened(stand_in, tmp_path)) as store:
        store.append(readings(*[(d, at, 1.0) for at in range(2000) for d in "AB"]))
        settle(store)
        assert store.refused == 2000
    assert len(stand_in.asked) <= 4
    assert len(taken(stand_in, "B")) == 2000


def test_points_older_than_the_retention_are_no_fault(stand_in, tmp_path):
    said = "partial write: points beyond retention policy dropped=1"
    stand_in.faults.append(Fault(400, f'{{"error":"{said}"}}', takes=True))
    with closing(opened(stand_in, tmp_path)) as store:
        append_some(store)
        settle(store)
        assert store.refused == 0
    assert len(taken(stand_in, "A")) == 30


def test_a_request_that_is_too_large_is_halved_until_it_is_taken(stand_in, tmp_path):
    stand_in.most_bytes = 500
    with closing(opened(stand_in, tmp_path)) as store:
        store.append(readings(*[("A", at, 1.0) for at in range(300)]))
        settle(store)
        asked = len(stand_in.asked)
        store.append(readings(*[("A", at, 1.0) for at in range(300, 310)]))
        settle(store)
        assert len(stand_in.asked) - asked <= 3  # the size is remembered
    assert [at for at, _ in taken(stand_in, "A")] == list(range(310))


def test_a_line_that_is_too_large_alone_is_set_aside(stand_in, tmp_path):
    stand_in.most_bytes = 300
    with closing(opened(stand_in, tmp_path)) as store:
        store.append(Batch(readings(("A", 1, 1.0)).blocks, [note("A", 2, text="x" * 400)]))
        settle(store)
        assert store.refused == 1
    assert [at for at, _ in taken(stand_in, "A")] == [1]


def test_a_server_without_the_v2_endpoint_gets_the_same_lines_on_write(stand_in, tmp_path):
    stand_in.has_v2 = False
    with closing(opened(stand_in, tmp_path)) as store:
        append_some(store)
        settle(store)
    assert [path for path, _ in stand_in.asked[:3]] == ["/api/v2/write", "/write", "/write"]
    assert stand_in.asked[1][1] == {"db": "fc", "precision": "ns"}
    assert len(taken(stand_in, "A")) == 30


def test_a_fault_in_the_middle_of_sorting_out_repeats_nothing(stand_in, tmp_path):
    stand_in.refuse, stand_in.poison = refuse_without_a_word, lambda line: " temp=7.0 " in line
    with closing(opened(stand_in, tmp_path)) as store:
        stand_in.faults.extend([Fault(400, "Bad Request"), Fault(400, "Bad Request"), CUT])
        store.append(readings(*[("A", at, float(at)) for at in range(16)]))
        settle(store)
        assert store.refused == 1
    assert [at for at, _ in taken(stand_in, "A")] == [at for at in range(16) if at != 7]


def test_refused_lines_are_kept_to_a_size(tmp_path):
    kept = RefusedLines(tmp_path, most_bytes=2_000)
    for at in range(100):
        kept.put([f"line {at}"], "why" * 1000, at)
    rows = list(kept.newest_first())
    assert [row.at_ms for row in rows] == list(range(99, 99 - len(rows), -1))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 6_000


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("unable to parse 'b': missing fields", {1}),
        ("{\"error\":\"partial write: unable to parse 'c': x\\nunable to parse 'a': y\"}", {0, 2}),
        ('{"data":[{"line_number":3},{"line_number":9}]}', {2}),
        ('{"data":{"line_number":1,"error_message":"m"},"error":"parsing failed"}', {0}),
        ("something else", set()),
        ("[1]", set()),
        ("", set()),
    ],
)
def test_the_lines_a_server_means(answer, expected):
    assert blamed(answer, ["a", "b", "c"]) == expected


def test_a_conflict_beside_points_that_are_too_old_is_still_a_fault():
    assert only_forgotten('{"message":"dropped 3 points outside retention policy"}')
    assert not only_forgotten("field type conflict ... points beyond retention policy")

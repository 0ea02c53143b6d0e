"""Payloads of Sparkplug B are read as the public schema writes them; any other bytes are named."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipment.sparkplug import Known, bd_seq, is_hosts, place, said, table
from equipment.sparkplug_payload import Metric, decode, number, rebirth
from equipment.wire import Event, MalformedMessage, Tele
from tests.equipment import given_sparkplug as sp

T = 1_790_000_000_000


def only(data: bytes) -> Metric:
    (metric,) = decode(data).metrics
    assert isinstance(metric, Metric)
    return metric


@given(
    st.none() | st.integers(0, 2**64 - 1),
    st.none() | st.integers(0, 255),
    st.text(max_size=20),
    st.none() | st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_what_is_written_by_the_schema_is_read(
    at_ms: int | None, seq: int | None, name: str, alias: int | None, historical: bool
) -> None:
    one = sp.metric(name, 1.5, alias=alias, at_ms=at_ms, historical=historical, unit="kPa")
    found = decode(sp.payload(one, at_ms=at_ms, seq=seq))
    assert (found.at_ms, found.seq) == (at_ms, seq)
    assert found.metrics == [Metric(name, alias, at_ms, sp.DOUBLE, historical, 1.5, "kPa")]


@pytest.mark.parametrize(
    ("type_", "value", "reads"),
    [
        (sp.INT8, -5, -5.0), (sp.INT16, -300, -300.0), (sp.INT32, -(2**31), -(2.0**31)),
        (sp.INT64, -1, -1.0), (sp.UINT8, 255, 255.0), (sp.UINT16, 65535, 65535.0),
        (sp.UINT32, 2**32 - 1, 2.0**32 - 1), (sp.UINT64, 2**53, 2.0**53),
        (sp.FLOAT, 37.02, 37.02), (sp.DOUBLE, -70.4, -70.4),
        (sp.BOOLEAN, True, 1.0), (sp.BOOLEAN, False, 0.0),
    ],
)  # fmt: skip
def test_numbers_of_every_type_are_read(type_: int, value: float, reads: float) -> None:
    found = only(sp.payload(sp.metric("x", value, type_)))
    assert isinstance(found.value, int | float)
    assert number(found.value, found.type) == reads


def test_an_integer_of_eight_bits_may_come_with_eight_or_with_thirty_two() -> None:
    assert number(251, sp.INT8) == number(2**32 - 5, sp.INT8) == -5.0


@pytest.mark.parametrize("type_", [sp.DATASET, sp.BYTES])
def test_what_is_no_number_and_no_text_has_no_value(type_: int) -> None:
    assert only(sp.payload(sp.metric("x", b"\x0a\xff\xff", type_))).value is None


def test_a_null_has_no_value() -> None:
    assert only(sp.payload(sp.metric("x", 5.0, null=True))).value is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "are no Payload in protobuf"),
        (b"{}", "are no Payload in protobuf"),
        (sp.payload(sp.metric("x", 1.0))[:-1], "are no Payload in protobuf"),
        (b"\x13" * 300, "are no Payload in protobuf"),
        (sp.payload(b"\x0a\x02\xff\xfe"), "is no UTF-8"),
        (b"\x08\x01" * 40_000, "limit 65536"),
    ],
)
def test_what_is_no_payload_is_named(data: bytes, says: str) -> None:
    with pytest.raises(MalformedMessage, match=says):
        decode(data)


SEEDS = [
    sp.payload(sp.metric("a/b", 1.5, unit="kPa", alias=3), at_ms=T, seq=0),
    sp.payload(sp.metric(alias=3, value=7, type_=sp.INT32, at_ms=T), at_ms=T, seq=255),
]


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@given(st.binary(max_size=80) | bent())
def test_whatever_the_bytes_are_they_are_read_or_named(data: bytes) -> None:
    with suppress(MalformedMessage):
        found = decode(data)
        table(found)
        told = said(found, {3: Known("wash_vacuum", sp.DOUBLE)}, "b", 5)
        for message in told.messages:
            assert isinstance(message, Tele | Event)


def test_readings_are_collected_by_instant_history_apart() -> None:
    known = {1: Known("x", sp.DOUBLE), 2: Known("y", sp.INT32), 3: Known("error_code", sp.STRING)}
    told = said(
        decode(
            sp.payload(
                sp.metric(alias=1, value=1.0, typed=False),
                sp.metric(alias=2, value=-2, type_=sp.INT32, at_ms=T + 5, typed=False),
                sp.metric(alias=1, value=3.0, at_ms=T - 9, historical=True),
                sp.metric(alias=3, value="1007", type_=sp.STRING, typed=False),
                sp.metric(alias=1, value=4.0, at_ms=T + 5),
                sp.metric(alias=2, null=True),
                at_ms=T,
            )
        ),
        known, "b", 5,
    )  # fmt: skip
    assert told.problems == {}
    assert told.messages == [
        Tele("b", 5 * 1024, r=[(T, {"x": 1.0}), (T + 5, {"y": -2.0, "x": 4.0})]),
        Tele("b", 5 * 1024 + 1, r=[(T - 9, {"x": 3.0})], h=1),
        Event("b", 5 * 1024 + 2, T, "1007", "error"),
    ]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on() -> None:
    known = {"x": Known("x", sp.DOUBLE)}
    told = said(
        decode(
            sp.payload(
                sp.metric("x", math.nan),
                sp.metric("y", 1e16),
                sp.metric(alias=9, value=1.0),
                sp.metric("z", "text", sp.STRING),
                sp.metric("Node Control/Rebirth", True, sp.BOOLEAN),
                sp.metric("w", 5.0),
                at_ms=T,
            )
        ),
        known, "b", 0,
    )  # fmt: skip
    assert told.messages == [Tele("b", 0, T, {"w": 5.0})]
    assert told.problems == {
        "not_a_number": "metric x: nan is no number",
        "malformed": "metric y: a number beyond 1e+15",
        "unborn": "alias 9 was not declared at birth",
    }


def test_an_alias_of_two_metrics_is_named() -> None:
    two = [sp.metric("x", 1.0, alias=7), sp.metric("y", 2.0, alias=7)]
    with pytest.raises(MalformedMessage, match="alias 7 stands for 'x' and 'y'"):
        table(decode(sp.payload(*two)))
    assert table(decode(sp.payload(two[0], two[0])))[7] == Known("x", sp.DOUBLE)


@pytest.mark.parametrize("value", [math.inf, math.nan, 1e300, 7.0])
def test_the_number_of_a_connection_is_an_integer(value: float) -> None:
    assert bd_seq(decode(sp.payload(sp.metric("bdSeq", value)))) is None
    assert bd_seq(decode(sp.payload(sp.metric("bdSeq", 255, sp.UINT64)))) == 255


def test_a_metric_without_a_time_is_named() -> None:
    told = said(decode(sp.payload(sp.metric("x", 1.0))), {}, "b", 0)
    assert told.problems == {"malformed": "metric x: time None is no instant"}


def test_many_values_come_in_messages_that_are_not_too_large() -> None:
    many = [sp.metric(f"m{n}", float(n)) for n in range(950)]
    told = said(decode(sp.payload(*many, at_ms=T)), {}, "b", 1)
    numbers = [message.s for message in told.messages]
    assert numbers == list(range(1024, 1024 + len(numbers)))
    values: dict[str, float] = {}
    for message in told.messages:
        assert isinstance(message, Tele)
        for _, row in message.r or [(message.t, message.m or {})]:
            values |= row
    assert values == {f"m{n}": float(n) for n in range(950)}


@pytest.mark.parametrize(
    "topic",
    [
        "spBv1.0", "spBv1.0/G", "spBv1.0/G/NBIRTH", "spBv1.0/G/NBIRTH/E/D", "spBv1.0/G/DDATA/E",
        "spBv1.0//NBIRTH/E", "spBv1.0/G/NBIRTH/", "spBv1.0/G/NCMD/E", "spBv1.0/STATE/host",
        "spBv1.0/G/X/E", "spBv1.0/G/DDATA/E/D/x", "spBv1.0/+/NDATA/E", "spAv1.0/G/NDATA/E",
    ],
)  # fmt: skip
def test_other_topics_are_foreign(topic: str) -> None:
    with pytest.raises(MalformedMessage):
        place(topic)


def test_what_a_host_says_is_told_from_what_edge_nodes_say() -> None:
    hosts = ["spBv1.0/STATE/fieldcare", "spBv1.0/G/NCMD/E", "spBv1.0/G/DCMD/E/D"]
    others = ["spBv1.0/G/NDATA/E", "spBv1.0/G/DDATA/NCMD/STATE", "fc/v1/S/D/cmd", "spBv1.0", ""]
    assert [is_hosts(topic) for topic in hosts + others] == [True] * 3 + [False] * 5


def test_the_command_asks_for_a_rebirth() -> None:
    wanted = sp.metric("Node Control/Rebirth", True, sp.BOOLEAN, at_ms=T)
    assert decode(rebirth(T)) == decode(sp.payload(wanted, at_ms=T))

"""The wire format: what is encoded is decoded, and what is wrong is named."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipment.wire import (
    VALUE_LIMIT,
    Ack,
    Birth,
    Declared,
    Event,
    Maint,
    MalformedMessage,
    Message,
    Qc,
    State,
    Tele,
    address,
    decode,
    encode,
)

NUMBERS = st.floats(-VALUE_LIMIT, VALUE_LIMIT)
VALUES = st.dictionaries(st.text("abc_", min_size=1, max_size=8), NUMBERS, max_size=5)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("birth", Birth(1, "7f", "s", "CHEM", [Declared("wash_vacuum", "kPa", 10, -90, 0)])),
        ("state", State("online", "7f", 5)),
        ("tele", Tele("7f", 1, 1790000000000, {"wash_vacuum": -70.5})),
        ("tele", Tele("7f", 2, r=[(1790000000000, {"a": 1.0}), (1790000001000, {"a": 2.0})], h=1)),
        ("event", Event("7f", 3, 1, "1007", "error", 3, {"slot": 2.0})),
        ("qc", Qc("7f", 4, 1, "GLU", 1, 5.42, "mmol/L", 5.4, 0.08, "A12")),
        ("maint", Maint("7f", 5, 1, "lamp", "lamp", ["lamp_on_time"])),
        ("ack", Ack("c1", False, "busy")),
    ],
)
def test_every_kind_goes_there_and_back(kind: str, message: Message) -> None:
    assert decode(kind, encode(message)) == message


@given(VALUES)
def test_any_finite_value_goes_there_and_back_exactly(values: dict[str, float]) -> None:
    assert decode("tele", encode(Tele("b", 1, 1, values))).m == values


@given(st.binary(max_size=200))
def test_no_payload_does_more_than_be_refused(payload: bytes) -> None:
    for kind in ("tele", "birth", "event", "qc"):
        with contextlib.suppress(MalformedMessage):
            decode(kind, payload)


@pytest.mark.parametrize("deep", [b"[" * 50_000, b'{"b":' * 10_000, b'{"m":{"a":' + b"[" * 9000])
def test_deep_nesting_is_refused(deep: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode("tele", deep)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_named_with_its_place(value: float) -> None:
    text = str(value).replace("nan", "NaN").replace("inf", "Infinity")
    payload = f'{{"b":"x","s":1,"r":[[1,{{"a":1}}],[2,{{"wash":{text}}}]]}}'.encode()
    with pytest.raises(MalformedMessage, match=r"\$\.r\[1\]\[1\]\.wash") as caught:
        decode("tele", payload)
    assert caught.value.reason == "not_a_number"


def test_too_many_rows_are_refused() -> None:
    rows = ",".join(f"[{n},{{}}]" for n in range(2001))
    with pytest.raises(MalformedMessage, match="2001 rows, limit 2000"):
        decode("tele", f'{{"b":"x","s":1,"r":[{rows}]}}'.encode())


def test_an_address_is_site_device_and_kind() -> None:
    where = address("fc/v1/S001/CHEM-001/tele")
    assert where == ("S001", "CHEM-001", "tele")
    assert where.topic == "fc/v1/S001/CHEM-001/tele"


@pytest.mark.parametrize(
    "topic",
    ["", "fc/v1/a/b", "fc/v1/a/b/tele/x", "fc/v2/a/b/tele", "fc/v1/a.b/c/tele", "fc/v1/a/b/other",
     "fc/v1//b/tele", f"fc/v1/{'a' * 41}/b/tele", "fc/v1/a/b\n/tele"],
)  # fmt: skip
def test_any_other_topic_is_foreign(topic: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        address(topic)
    assert caught.value.reason == "foreign_topic"

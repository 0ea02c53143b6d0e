"""What is written is read back, and nothing that is sent can do harm."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import packets
from collector.bulk import acknowledged, publishes
from collector.fields import Malformed, Property, Reason, length
from collector.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Granted,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
    Will,
    decode,
    encode,
    frame,
)
from desk.arrival import Arrival


def made(kind: Any, *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*fields).map(lambda values: kind(*values))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
topics = st.text(st.sampled_from("abfc/v1-_医院"), min_size=1, max_size=40)
pids = st.integers(1, 0xFFFF)
users = st.lists(st.tuples(texts, texts), min_size=1, max_size=3).map(tuple)
letters = st.fixed_dictionaries(
    {},
    optional={
        0x01: st.integers(0, 1),
        0x02: st.integers(0, 2**32 - 1),
        0x03: texts,
        0x08: texts,
        0x09: st.binary(max_size=30),
        0x26: users,
    },
)
wills = made(Will, topics, st.binary(max_size=50), st.integers(0, 2), st.booleans(), letters)
connects = made(
    Connect,
    texts,
    st.just(V5),
    st.booleans(),
    st.integers(0, 0xFFFF),
    texts,
    st.binary(max_size=20),
    st.none() | wills,
    st.fixed_dictionaries({}, optional={0x11: st.integers(0, 2**32 - 1), 0x21: pids}),
)
ids = st.fixed_dictionaries({}, optional={0x0B: st.tuples(st.integers(1, 2**28 - 1))})
wanted = made(Wanted, texts, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2))
messages = st.one_of(
    made(Publish, topics, st.binary(max_size=300)),
    made(
        Publish,
        topics,
        st.binary(max_size=300),
        st.integers(1, 2),
        pids,
        st.booleans(),
        st.booleans(),
        letters,
    ),
)
any_packet = st.one_of(
    connects,
    messages,
    made(Connack, st.booleans(), st.integers(0, 255)),
    made(Ack, st.integers(4, 7), pids, st.integers(0, 255)),
    made(Subscribe, pids, st.lists(wanted, min_size=1).map(tuple), ids),
    made(Unsubscribe, pids, st.lists(texts, min_size=1, max_size=4).map(tuple)),
    made(Granted, st.sampled_from((9, 11)), pids, st.lists(pids.map(lambda n: n % 256)).map(tuple)),
    made(Ping, st.sampled_from((12, 13))),
    made(Disconnect, st.integers(0, 255)),
)


def read(data: bytes, version: int = V5) -> Packet:
    found = frame(data, 0)
    assert found is not None
    assert found.end == len(data)
    return decode(found.first, data, found.start, found.end, version)


@given(any_packet)
def test_every_packet_is_read_back_as_it_was_written(packet: Packet) -> None:
    assert read(encode(packet, V5)) == packet


@given(st.integers(0, 268_435_455))
def test_every_length_is_read_back(count: int) -> None:
    found = frame(b"\x30" + length(count), 0)
    assert found is not None
    assert found.end - found.start == count


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x36\x03\x00\x01a", Reason.MALFORMED),  # QoS 3
        (b"\x38\x03\x00\x01a", Reason.MALFORMED),  # QoS 0 sent again
        (b"\x32\x06\x00\x01a\x00\x00\x00", Reason.PROTOCOL_ERROR),  # packet identifier 0
        (b"\x30\x04\x00\x01+\x00", Reason.BAD_TOPIC),
        (b"\x30\x03\x00\x00\x00", Reason.BAD_TOPIC),  # no topic, no alias
        (b"\x30\x04\x00\x01\x00\x00", Reason.MALFORMED),  # NUL
        (b"\x30\x06\x00\x03\xed\xa0\x80\x00", Reason.MALFORMED),  # a lone surrogate
        (b"\x30\x08\x00\x01a\x04\x01\x00\x01\x00", Reason.PROTOCOL_ERROR),  # property twice
        (b"\x30\x06\x00\x01a\x02\x01\x02", Reason.PROTOCOL_ERROR),  # a flag of 2
        (b"\x30\x06\x00\x01a\x02\x11\x00", Reason.MALFORMED),  # property of another packet
        (b"\x82\x02\x00\x01", Reason.MALFORMED),
        (b"\x82\x03\x00\x01\x00", Reason.PROTOCOL_ERROR),  # SUBSCRIBE to nothing
        (b"\x80\x07\x00\x01\x00\x00\x01a\x00", Reason.MALFORMED),  # wrong flags
        (b"\xc0\x01\x00", Reason.MALFORMED),  # longer than its fields
        (b"\xf0\x00", Reason.PROTOCOL_ERROR),  # AUTH
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x3c\x00\x00", Reason.UNSUPPORTED_VERSION),
        (b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00", Reason.MALFORMED),  # reserved flag
        (b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x3c\x00\x00", Reason.MALFORMED),  # password only
    ],
)
def test_what_breaks_the_standard_is_named(data: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        read(data)
    assert caught.value.reason == reason


def test_a_length_of_five_bytes_is_refused() -> None:
    with pytest.raises(Malformed):
        frame(b"\x30\xff\xff\xff\xff\x01", 0)


# -- the fast way in


@dataclass
class Run:
    arrivals: list[Arrival]
    pids: list[bytes]
    end: int


def run(data: bytes, version: int, *topics: str) -> Run:
    arrivals: list[Arrival] = []
    found: list[bytes] = []
    known = {topic.encode(): topic for topic in topics}
    end = publishes(data, 0, known, version=version, sender="D1", arrivals=arrivals, pids=found)
    return Run(arrivals, found, end)


@given(st.lists(messages, max_size=8), st.sampled_from((V311, V5)), st.integers(0, 400))
def test_the_fast_way_reads_what_the_strict_way_reads(
    sent: list[Publish], version: int, cut: int
) -> None:
    sent = [m if version == V5 else m._replace(properties={}) for m in sent]
    data = b"".join(encode(m, version) for m in sent)
    data = data[: max(0, len(data) - cut)]
    fast = run(data, version, *(m.topic for m in sent))
    strict: list[Any] = []
    pos = 0
    while pos < fast.end:
        found = frame(data, pos)
        assert found is not None
        strict.append(decode(found.first, data, found.start, found.end, version))
        pos = found.end
    assert pos == fast.end
    assert [(m.topic, m.payload) for m in strict] == [a[1:3] for a in fast.arrivals]
    assert [m.pid for m in strict] == [int.from_bytes(p, "big") for p in fast.pids]
    assert all(m.qos == 1 and not m.retain and not m.properties for m in strict)


def test_the_fast_way_leaves_the_unusual_to_the_strict_one() -> None:
    plain = encode(Publish("t", b"x", 1, 7), V5)
    for unusual in (
        Publish("t", b"x", 1, 7, retain=True),
        Publish("t", b"x", 1, 7, again=True),
        Publish("t", b"x", 0),
        Publish("t", b"x", 2, 7),
        Publish("other", b"x", 1, 7),
        Publish("t", b"x", 1, 7, properties={Property.CONTENT_TYPE: "json"}),
        Publish("t", b"x" * 16384, 1, 7),
        Ping(),
    ):
        assert run(plain + encode(unusual, V5), V5, "t").end == len(plain)


def test_acknowledgements_of_a_run_are_joined() -> None:
    data = b"".join(encode(Publish("t", b"x", 1, pid), V311) for pid in (1, 2, 65535))
    joined = acknowledged(run(data, V311, "t").pids)
    assert joined == b"".join(encode(Ack(packets.PUBACK, pid), V311) for pid in (1, 2, 65535))


def mutated(random_: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(random_.randint(1, 6)):
        place = random_.randrange(len(out) + 1)
        match random_.randrange(4):
            case 0 if place < len(out):
                out[place] = random_.randrange(256)
            case 1 if place < len(out):
                out[place] ^= 1 << random_.randrange(8)
            case 2:
                out[place:place] = random_.randbytes(random_.randint(1, 4))
            case _:
                del out[place : place + random_.randint(1, 8)]
    return bytes(out)


SEEDS: list[Packet] = [
    Connect("D1", V5, False, 30, "D1", b"pw", Will("a/b", b"off", 1, True, {0x18: 5}), {0x11: 60}),
    Publish("fc/v1/S/D1/tele", b'{"b":"1"}', 1, 5, properties={0x26: (("a", "b"),), 0x02: 9}),
    Publish("fc/v1/S/D1/tele", b'{"b":"1"}', 1, 5),
    Subscribe(3, (Wanted("fc/v1/+/D1/cmd", 1), Wanted("#", 2, handling=1))),
    Unsubscribe(4, ("fc/v1/+/D1/cmd",)),
    Ack(packets.PUBACK, 9, 0x10),
    Ack(packets.PUBREL, 9),
    Disconnect(4, {0x11: 10}),
]


@pytest.mark.parametrize("version", [V311, V5])
def test_mutated_packets_are_read_or_refused_and_nothing_else(version: int) -> None:
    random_ = random.Random(20_261_124 + version)
    refused = 0
    for turn in range(20_000):
        data = mutated(random_, encode(SEEDS[turn % len(SEEDS)], version))
        try:
            found = frame(data, 0) if data else None
            if found is not None and found.end <= len(data):
                decode(found.first, data, found.start, found.end, version)
        except Malformed:
            refused += 1
        fast = run(data, version, "fc/v1/S/D1/tele")
        assert 0 <= fast.end <= len(data)
        assert len(fast.arrivals) == len(fast.pids)
    assert refused > 1000

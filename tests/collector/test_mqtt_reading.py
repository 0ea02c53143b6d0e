"""Whatever a broker sends, and however it is cut, arrives once, in order, and is acknowledged."""

import random

import pytest
from paho.mqtt.client import Client

from collector.client import differences
from collector.fields import Property, length, two
from collector.mqtt import EVERYTHING
from collector.packets import V5, V311, Publish, encode
from desk.arrival import Arrival
from tests.collector.given_broker import paper
from tests.collector.given_endpoint import PATIENCE_S, STATE, TELE, until

BULK = pytest.mark.parametrize("bulk", [True, False], ids=["in runs", "one by one"])
SEED = 5


def mixture(version: int) -> tuple[bytes, list[bytes], list[int]]:
    """Return packets of every kind a broker may send, their payloads, and what to acknowledge."""
    chance, out, payloads, pids = random.Random(SEED), [], [], []
    for n in range(1, 400):
        body = b"%d" % n
        retain = again = False
        qos, values = 1, {}
        kind = chance.randrange(12)
        if kind == 0:
            qos = 0
        elif kind == 1:
            retain = True
        elif kind == 2:
            again = True
        elif kind == 3 and version == V5:
            values = {Property.MESSAGE_EXPIRY: 60, Property.CONTENT_TYPE: "application/json"}
        elif kind == 4:
            body = b"%d" % n + b" " * chance.choice([100, 200, 20_000, 40_000])
        elif kind == 5:
            out.append(b"\xd0\x00")
        topic = chance.choice([TELE, STATE, "fc/v1/S1/D2/tele"])
        message = Publish(topic, body, qos, n if qos else 0, retain, again, values)
        out.append(encode(message, version))
        payloads.append(body)
        pids += [n] if qos else []
    return b"".join(out), payloads, pids


@BULK
@pytest.mark.parametrize("piece", [1, 7, 1000, 4096, 1 << 30])
def test_packets_of_every_kind_arrive_once_in_order_however_they_are_cut(
    piece: int, *, bulk: bool
) -> None:
    data, payloads, pids = mixture(V5)
    data = data if piece > 1 else data[: 20_000 + data[20_000:].index(b"\x32")]
    with paper(bulk=bulk) as (server, broker, sink):
        server.say(data, piece)
        if piece > 1:
            assert [a.payload for a in sink.wait_for(len(payloads))] == payloads
            assert server.wait_for_acks(len(pids)) == pids
        else:
            until(lambda: len(sink.arrivals) > 10)
        assert broker.connected


@BULK
def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(*, bulk: bool) -> None:
    data, payloads, pids = mixture(V311)
    with paper(V311, bulk=bulk) as (server, _, sink):
        server.say(data, 1000)
        assert [a.payload for a in sink.wait_for(len(payloads))] == payloads
        assert server.wait_for_acks(len(pids)) == pids
    assert [(c.version, c.clean) for c in server.connects] == [(V5, False), (V311, False)]


@BULK
def test_an_acknowledgement_of_a_connection_that_ended_is_void(*, bulk: bool) -> None:
    with paper(bulk=bulk) as (server, broker, sink):
        sink.open.clear()
        server.say(encode(Publish(TELE, b"old", 1, 1), V5))
        assert sink.asked.wait(PATIENCE_S)
        server.hang_up()
        until(lambda: not broker.connected)
        assert broker.wait_until_subscribed(PATIENCE_S)
        sink.open.set()
        server.say(encode(Publish(TELE, b"new", 1, 2), V5))
        assert server.wait_for_acks(1) == [2]


@BULK
def test_half_a_packet_of_a_connection_that_ended_is_forgotten(*, bulk: bool) -> None:
    with paper(bulk=bulk) as (server, broker, sink):
        server.say(encode(Publish(TELE, b"half", 1, 1), V5)[:-2])
        server.hang_up()
        until(lambda: not broker.connected)
        assert broker.wait_until_subscribed(PATIENCE_S)
        server.say(encode(Publish(TELE, b"whole", 1, 1), V5))
        assert sink.wait_for(1) == [Arrival(None, TELE, b"whole")]


@BULK
@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x32\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\xf0\x00\x00",
        b"\x32\x02\x00\x09",  # a topic longer than its packet
    ],
)
def test_what_is_not_mqtt_ends_the_connection_and_not_the_thread(
    nonsense: bytes, *, bulk: bool
) -> None:
    with paper(bulk=bulk) as (server, broker, sink):
        server.say(nonsense)
        until(lambda: len(server.connects) == 2)
        assert broker.wait_until_subscribed(PATIENCE_S)
        server.say(encode(Publish(TELE, b"1", 1, 1), V5))
        assert [a.payload for a in sink.wait_for(1)] == [b"1"]


def test_what_is_to_be_heard_as_well_is_asked_for_before_the_first_is_granted() -> None:
    with paper(granting=False) as (server, broker, _):
        until(lambda: EVERYTHING[-1] in server.subscribed)
        broker.subscribe(["fc/v1/S9/+/+"])
        until(lambda: "fc/v1/S9/+/+" in server.subscribed)


@BULK
def test_a_topic_that_is_not_utf_8_is_acknowledged_and_left_out(*, bulk: bool) -> None:
    bad = two(3) + b"fc\xff" + two(1) + b"\0x"
    good = encode(Publish(TELE, b"1", 1, 2), V5)
    with paper(bulk=bulk) as (server, _, sink):
        server.say(b"\x32" + length(len(bad)) + bad + good)
        assert server.wait_for_acks(2) == [1, 2]
        assert [a.payload for a in sink.arrivals] == [b"1"]


@BULK
def test_of_an_oversize_message_only_what_is_put_aside_is_kept(*, bulk: bool) -> None:
    with paper(bulk=bulk) as (server, _, sink):
        server.say(encode(Publish(TELE, bytes(900_000), 1, 1), V5))
        assert server.wait_for_acks(1) == [1]
        assert len(sink.arrivals[0].payload) == 64 * 1024 + 1


def test_the_paho_that_is_installed_is_read_in_runs() -> None:
    assert differences() == []


def test_another_paho_is_noticed() -> None:
    class Changed(Client):
        def _packet_read(self, most: int) -> None:  # type: ignore[override]
            pass

    assert differences(Changed) == ["_packet_read"]
    assert differences(Client, {"_gone": ["self"]}) == ["_gone"]


def test_we_offer_no_topic_aliases_and_keep_our_session() -> None:
    with paper() as (server, _, _):
        (connect,) = server.connects
    assert not connect.clean
    assert connect.properties[Property.SESSION_EXPIRY] == 7 * 24 * 3600
    assert Property.ALIAS_MAXIMUM not in connect.properties

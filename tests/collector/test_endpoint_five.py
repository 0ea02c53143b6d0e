"""What MQTT 5 adds, spoken in raw packets."""

import threading
from pathlib import Path

from collector import packets
from collector.admission import Principal
from collector.fields import Property, Reason
from collector.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Granted,
    Publish,
    Subscribe,
    Wanted,
    Will,
)
from desk.arrival import Arrival
from storage.mailbox import Client, SqliteMailbox
from tests.collector.given_endpoint import (
    CMD,
    KEEP,
    PATIENCE_S,
    STATE,
    TELE,
    RawClient,
    Running,
    client,
    endpoint,
    kept,
    subscribe,
    until,
)


def test_a_topic_given_once_goes_by_its_number(running: Running) -> None:
    named, numbered = {Property.ALIAS: 3}, Publish("", b"2", 1, 2, properties={Property.ALIAS: 3})
    with client(running.port) as device:
        device.send(Publish(TELE, b"1", 1, 1, properties=named), numbered)
        assert [device.expect(Ack).pid for _ in range(2)] == [1, 2]
        device.send(Publish(STATE, b"3", 1, 3, properties=named), numbered)
        assert [device.expect(Ack).pid for _ in range(2)] == [3, 2]
    heard = [(arrival.topic, arrival.payload) for arrival in running.sink.arrivals]
    assert heard == [(TELE, b"1"), (TELE, b"2"), (STATE, b"3"), (STATE, b"2")]


def test_a_number_for_a_foreign_topic_opens_no_door(running: Running) -> None:
    foreign = "fc/v1/S1/D2/tele"
    with client(running.port) as device:
        device.send(Publish(foreign, b"1", 1, 1, properties={Property.ALIAS: 1}))
        device.send(Publish("", b"2", 1, 2, properties={Property.ALIAS: 1}))
        assert [device.expect(Ack).reason for _ in range(2)] == [Reason.NOT_AUTHORIZED] * 2


def test_a_letter_names_the_subscriptions_it_is_for(running: Running) -> None:
    with client(running.port, "desk") as desk:
        for pid, (wanted, id) in enumerate((("fc/v1/#", 7), (TELE, 300), ("fc/v1/+/D1/#", 0)), 1):
            values = {Property.SUBSCRIPTION_ID: (id,)} if id else {}
            desk.send(Subscribe(pid, (Wanted(wanted, 1),), values))
            desk.expect(Granted)
        running.endpoint.publish(TELE, b"x")
        assert sorted(desk.expect(Publish).properties[Property.SUBSCRIPTION_ID]) == [7, 300]
        running.endpoint.publish(STATE, b"x", retain=True)
        assert desk.expect(Publish).properties == {Property.SUBSCRIPTION_ID: (7,)}


def test_a_message_of_qos_2_is_taken_once(running: Running) -> None:
    with client(running.port) as device:
        twice = Publish(TELE, b"x", 2, 5)
        device.send(twice, twice._replace(again=True), Ack(packets.PUBREL, 5))
        device.send(Ack(packets.PUBREL, 5), Publish("fc/v1/S1/D2/tele", b"x", 2, 6), twice)
        answers = [device.expect(Ack) for _ in range(6)]
    received, completed = Ack(packets.PUBREC, 5), Ack(packets.PUBCOMP, 5)
    assert answers[:3] == [received, received, completed]
    assert answers[3] == completed._replace(reason=Reason.NO_SUCH_PID)
    assert answers[4:] == [Ack(packets.PUBREC, 6, Reason.NOT_AUTHORIZED), received]
    assert running.sink.arrivals.count(Arrival("D1", TELE, b"x")) == 2


def test_other_ways_to_prove_an_identity_are_refused(running: Running) -> None:
    raw = RawClient(running.port)
    values = {Property.AUTH_METHOD: "SCRAM-SHA-1", Property.AUTH_DATA: b"n,,n=D1"}
    raw.send(Connect("D1", V5, username="D1", password=b"pw", properties=values))
    assert raw.expect(Connack).reason == Reason.BAD_AUTH_METHOD
    assert raw.receive() is None
    raw.close()


def test_a_client_is_told_in_words_what_was_wrong(running: Running) -> None:
    with client(running.port) as device:
        device.send(Publish(TELE, b"", 1, 1, properties={Property.ALIAS: 99}))
        assert device.expect(Disconnect).properties == {Property.REASON_TEXT: "topic alias 99"}
    with client(running.port, properties={Property.MAXIMUM_PACKET: 20}) as device:
        device.send(Publish(TELE, b"", 1, 1, properties={Property.ALIAS: 99}))
        assert device.expect(Disconnect).properties == {}


def test_the_end_of_a_session_can_be_put_elsewhere_in_parting(tmp_path: Path) -> None:
    def stored() -> int | None:
        kept = SqliteMailbox(tmp_path / "m").load().sessions.get(Client("D1", "D1"))
        return kept.expiry_s if kept else None

    with endpoint(mailbox=SqliteMailbox(tmp_path / "m")) as running:
        for asked, found in ((60, 60), (0, None)):
            with client(running.port, **kept(V5)) as device:
                until(lambda: stored() == 3600)
                device.send(Disconnect(0, {Property.SESSION_EXPIRY: asked}))
                assert device.receive() is None
            until(lambda want=found: stored() == want)


def test_a_session_that_is_not_to_be_kept_any_more_ends_with_its_connection(
    running: Running,
) -> None:
    with client(running.port, **kept(V5)) as device:
        subscribe(device, CMD)
    with client(running.port, clean=False) as device:
        assert device.welcome.present
    until(lambda: not running.endpoint.exchange.sessions)


def test_a_retained_message_is_gone_when_it_has_expired() -> None:
    now = [1_790_000_000.0]
    with endpoint(clock=lambda: now[0]) as running, client(running.port) as device:
        device.send(Publish(STATE, b"x", 1, 1, True, properties={Property.MESSAGE_EXPIRY: 60}))
        device.send(Publish(TELE, b"y", 1, 2, True))
        device.expect(Ack)
        now[0] += 61
        until(lambda: set(running.endpoint.exchange.retained) == {TELE})
        assert set(running.committer.mailbox.load().retained) == {TELE}


def test_a_will_that_is_put_off_is_said_before_the_end() -> None:
    will = Will(STATE, b"offline", 1, True, {Property.WILL_DELAY: 3000})
    with endpoint() as running:
        with client(running.port, will=will, properties=KEEP):
            pass
        until(lambda: not running.endpoint.connected)
        assert not running.sink.arrivals
    assert running.sink.arrivals == [Arrival("D1", STATE, b"offline")]


def test_no_more_is_in_flight_to_a_client_than_it_takes(running: Running) -> None:
    few = {Property.RECEIVE_MAXIMUM: 2}
    with client(running.port, properties=few) as device:
        subscribe(device, CMD)
        for number in range(5):
            running.endpoint.publish(CMD, b"%d" % number)
        first, second = device.expect(Publish), device.expect(Publish)
        assert device.hears_nothing()
        device.send(Ack(packets.PUBACK, first.pid))
        assert device.expect(Publish).payload == b"2"
        device.send(Ack(packets.PUBACK, second.pid))
        assert device.expect(Publish).payload == b"3"


def test_a_client_that_is_back_and_takes_less_is_sent_less(running: Running) -> None:
    with client(running.port, **kept(V5)) as device:
        subscribe(device, CMD)
        for number in range(6):
            running.endpoint.publish(CMD, b"%d" % number * (100 if number == 1 else 1))
        pids = [device.expect(Publish).pid for _ in range(6)]
    less = {**KEEP, Property.RECEIVE_MAXIMUM: 3, Property.MAXIMUM_PACKET: 100}
    with client(running.port, clean=False, properties=less) as device:
        heard = [device.expect(Publish) for _ in range(3)]
        assert [(one.payload, one.pid, one.again) for one in heard[:2]] == [
            (b"0", pids[0], True),
            (b"2", pids[2], True),
        ]
        assert (heard[2].payload, heard[2].again) == (b"3", False)
        assert device.hears_nothing()
        device.send(*(Ack(packets.PUBACK, one.pid) for one in heard))
        assert [device.expect(Publish).payload for _ in "ab"] == [b"4", b"5"]


def test_a_watcher_gets_what_comes_the_fast_way_in_order(running: Running) -> None:
    with client(running.port, "desk", name="watch") as watch, client(running.port) as device:
        device.send(Publish(TELE, b"before", 1, 1))
        device.expect(Ack)
        subscribe(watch, "fc/v1/#")
        device.send(*(Publish(TELE, b"%d" % n, 1, n) for n in range(1, 51)))
        for number in range(1, 51):
            letter = watch.expect(Publish)
            assert (letter.topic, letter.payload, letter.qos) == (TELE, b"%d" % number, 1)
            watch.send(Ack(packets.PUBACK, letter.pid))


def test_a_client_that_waits_for_its_welcome_is_told_of_the_end() -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow(_user: str, _password: str) -> Principal | None:
        asked.set()
        answered.wait(PATIENCE_S)
        return None

    for version, reason in ((V5, Reason.SHUTTING_DOWN), (V311, 3)):
        asked.clear()
        answered.clear()
        with endpoint(authenticate=slow) as running:
            raw = RawClient(running.port, version)
            raw.send(Connect("D1", version, username="D1", password=b"pw"))
            assert asked.wait(PATIENCE_S)
            running.endpoint.stop()
            assert raw.expect(Connack).reason == reason
            raw.close()
        answered.set()


def test_a_client_that_comes_at_the_end_is_turned_away() -> None:
    for _ in range(5):
        with endpoint() as running:
            raw = RawClient(running.port)
            raw.send(Connect("D1", V5, username="D1", password=b"pw"))
            running.endpoint.stop()
            while raw.receive() is not None:
                pass
            raw.close()

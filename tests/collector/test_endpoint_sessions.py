"""What our endpoint remembers: wills, sessions, letters, retained messages."""

import time
from pathlib import Path
from typing import Any

from collector import packets
from collector.admission import Limits
from collector.fields import Property, Reason
from collector.packets import (
    V5,
    V311,
    Ack,
    Disconnect,
    Granted,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
    Will,
)
from desk.arrival import Arrival
from storage.mailbox import MemoryMailbox, SqliteMailbox
from tests.collector.given_endpoint import (
    BOTH,
    CMD,
    STATE,
    TELE,
    Running,
    client,
    endpoint,
    kept,
    subscribe,
    until,
)

# -- wills, keep-alive, take-over


@BOTH
def test_a_will_is_published_when_its_client_vanishes(running: Running, version: int) -> None:
    will = Will(STATE, b"offline", 1, True)
    with client(running.port, "desk", name="watch") as watch:
        subscribe(watch, "fc/v1/+/+/state")
        with client(running.port, version=version, will=will):
            pass
        assert watch.expect(Publish).payload == b"offline"
    assert running.sink.arrivals == [Arrival("D1", STATE, b"offline")]
    assert running.endpoint.exchange.retained[STATE].payload == b"offline"


@BOTH
def test_a_client_that_says_goodbye_leaves_no_will(running: Running, version: int) -> None:
    with client(running.port, version=version, will=Will(STATE, b"offline", 1)) as device:
        device.send(Disconnect())
        assert device.receive() is None
    with client(running.port, will=Will(STATE, b"wanted", 1)) as device:
        device.send(Disconnect(Reason.WITH_WILL))
        assert device.receive() is None
    assert [a.payload for a in running.sink.wait_for(1)] == [b"wanted"]


def test_a_will_on_a_foreign_topic_is_put_aside_like_any_message(running: Running) -> None:
    with client(running.port, will=Will("fc/v1/S1/D2/state", b"offline", 1, True)):
        pass
    assert running.sink.wait_for(1) == [Arrival("D1", "fc/v1/S1/D2/state", b"offline")]
    assert not running.endpoint.exchange.retained


def test_a_will_that_is_put_off_is_off_when_the_client_returns(running: Running) -> None:
    later = Will(STATE, b"offline", 1, properties={Property.WILL_DELAY: 60})
    with client(running.port, will=later, **kept(V5)):
        pass
    with client(running.port, **kept(V5)) as device:
        device.send(Publish(TELE, b"back", 1, 1))
        device.expect(Ack)
    assert [a.payload for a in running.sink.arrivals] == [b"back"]


def test_a_silent_client_is_let_go_with_its_will(running: Running) -> None:
    with client(running.port, keep_alive_s=1, will=Will(STATE, b"offline", 1)) as device:
        assert device.expect(Disconnect).reason == Reason.KEEP_ALIVE
    assert [a.payload for a in running.sink.wait_for(1)] == [b"offline"]


def test_a_client_that_pings_stays(running: Running) -> None:
    with client(running.port, keep_alive_s=1) as device:
        for _ in range(5):
            time.sleep(0.6)
            assert device.hears_nothing()


@BOTH
def test_a_client_that_comes_twice_takes_over_its_session(running: Running, version: int) -> None:
    with client(running.port, version=version, **kept(version)) as first:
        subscribe(first, CMD)
        with client(running.port, version=version, **kept(version)) as second:
            assert second.welcome.present
            if version == V5:
                assert first.expect(Disconnect).reason == Reason.TAKEN_OVER
            assert first.receive() is None
            running.endpoint.publish(CMD, b"for whoever is there")
            assert second.expect(Publish).payload == b"for whoever is there"


# -- sessions and retained messages


@BOTH
def test_letters_wait_for_an_absent_client(running: Running, version: int) -> None:
    with client(running.port, version=version, **kept(version)) as device:
        subscribe(device, CMD)
    running.endpoint.publish(CMD, b"1")
    running.endpoint.publish(CMD, b"2")
    with client(running.port, version=version, **kept(version)) as device:
        assert [device.expect(Publish).payload for _ in range(2)] == [b"1", b"2"]
    with client(running.port, version=version, **kept(version)) as device:
        again = [device.expect(Publish) for _ in range(2)]
        assert [(m.payload, m.again) for m in again] == [(b"1", True), (b"2", True)]
        device.send(*(Ack(packets.PUBACK, m.pid) for m in again))
        assert device.hears_nothing()
    with client(running.port, version=version, **kept(version)) as device:
        assert device.hears_nothing()


@BOTH
def test_a_clean_start_forgets_the_session(running: Running, version: int) -> None:
    with client(running.port, version=version, **kept(version)) as device:
        subscribe(device, CMD)
    running.endpoint.publish(CMD, b"1")
    with client(running.port, version=version) as device:
        assert not device.welcome.present
        running.endpoint.publish(CMD, b"2")
        assert device.hears_nothing()


def test_a_session_ends_when_its_client_stays_away_too_long(running: Running) -> None:
    asked: dict[str, Any] = {"clean": False, "properties": {Property.SESSION_EXPIRY: 1}}
    with client(running.port, **asked):
        pass
    until(lambda: not running.endpoint.exchange.sessions)


def test_an_expired_request_is_not_delivered(running: Running) -> None:
    with client(running.port, **kept(V5)) as device:
        subscribe(device, CMD)
    with client(running.port, "desk") as desk:
        soon = {Property.MESSAGE_EXPIRY: 1}
        desk.send(Publish(CMD, b"now or never", 1, 1, properties=soon), Publish(CMD, b"any", 1, 2))
        assert [desk.expect(Ack).pid, desk.expect(Ack).pid] == [1, 2]
    time.sleep(1.1)
    with client(running.port, **kept(V5)) as device:
        assert device.expect(Publish).payload == b"any"


def test_a_letter_keeps_its_properties(running: Running) -> None:
    values = {
        Property.CONTENT_TYPE: "json",
        Property.CORRELATION: b"\x00\x01",
        Property.USER: (("a", "1"), ("a", "2")),
    }
    with client(running.port) as device, client(running.port, "desk") as desk:
        subscribe(device, CMD)
        desk.send(Publish(CMD, b"x", 1, 1, properties=values))
        assert device.expect(Publish).properties == values


@BOTH
def test_the_last_word_on_a_topic_is_told_to_new_subscribers(
    running: Running, version: int
) -> None:
    with client(running.port, version=version) as device:
        device.send(Publish(STATE, b"asleep", 1, 1, True), Publish(STATE, b"online", 1, 2, True))
        assert [device.expect(Ack).pid, device.expect(Ack).pid] == [1, 2]
    with client(running.port, "desk", version=version) as watch:
        subscribe(watch, "fc/v1/+/+/state")
        told = watch.expect(Publish)
        assert (told.topic, told.payload, told.retain) == (STATE, b"online", True)
        assert watch.hears_nothing()
        watch.send(Publish(STATE, b"", 1, 3, True))
        assert {type(watch.receive()), type(watch.receive())} == {Ack, Publish}
        watch.send(Unsubscribe(4, ("fc/v1/+/+/state",)))
        assert watch.expect(Granted).kind == packets.UNSUBACK
        subscribe(watch, "fc/v1/#")
        assert watch.hears_nothing()


def test_overlapping_subscriptions_get_one_copy_and_own_messages_none(running: Running) -> None:
    with client(running.port, "desk") as desk:
        desk.send(
            Subscribe(1, (Wanted("fc/#", 0), Wanted(TELE, 1), Wanted("own/#", 1, not_own=True)))
        )
        assert desk.expect(Granted).reasons == (0, 1, 1)
        desk.send(Publish(TELE, b"x", 1, 2), Publish("own/x", b"x", 1, 3))
        got = [desk.receive() for _ in range(3)]
        assert [type(p) for p in got] == [Ack, Ack, Publish]
        assert got[2].qos == 1  # type: ignore[union-attr]
        assert desk.hears_nothing()


def test_messages_of_qos_2_are_taken_once_for_clients_of_3_1_1(running: Running) -> None:
    with client(running.port, version=V311) as device:
        twice = Publish(TELE, b"x", 2, 5)
        device.send(twice, twice._replace(again=True))
        assert [device.expect(Ack) for _ in range(2)] == [Ack(packets.PUBREC, 5)] * 2
        device.send(Ack(packets.PUBREL, 5))
        assert device.expect(Ack) == Ack(packets.PUBCOMP, 5)
    assert len(running.sink.arrivals) == 1


# -- ends and starts


def test_a_restart_keeps_sessions_letters_and_retained_messages(tmp_path: Path) -> None:
    with endpoint(mailbox=SqliteMailbox(tmp_path / "mail.db")) as running:
        with client(running.port, **kept(V5)) as device:
            subscribe(device, CMD)
            device.send(Publish(STATE, b"online", 1, 1, True))
            device.expect(Ack)
        with client(running.port, "desk") as desk:
            desk.send(Publish(CMD, b"1", 1, 1), Publish(CMD, b"2", 1, 2))
            desk.expect(Ack), desk.expect(Ack)
    with endpoint(mailbox=SqliteMailbox(tmp_path / "mail.db")) as running:
        with client(running.port, **kept(V5)) as device:
            assert device.welcome.present
            letters = [device.expect(Publish) for _ in range(2)]
            assert [m.payload for m in letters] == [b"1", b"2"]
            device.send(*(Ack(packets.PUBACK, m.pid) for m in letters))
            running.endpoint.publish(CMD, b"3")
            assert device.expect(Publish).payload == b"3"
        with client(running.port, "desk") as watch:
            subscribe(watch, STATE)
            assert watch.expect(Publish).payload == b"online"
    with (
        endpoint(mailbox=SqliteMailbox(tmp_path / "mail.db")) as running,
        client(running.port, **kept(V5)) as device,
    ):
        assert device.expect(Publish).payload == b"3"
        assert device.hears_nothing()


def test_a_mailbox_in_memory_is_enough_for_one_process() -> None:
    mailbox = MemoryMailbox()
    for expected in (False, True):
        with endpoint(mailbox=mailbox) as running, client(running.port, **kept(V5)) as device:
            assert device.welcome.present is expected
            subscribe(device, CMD)


def test_a_device_cannot_retain_topics_without_end() -> None:
    with endpoint(Limits(retained_each=3)) as running, client(running.port) as device:
        for number in range(1, 6):
            device.send(Publish(f"fc/v1/S{number}/D1/state", b"on", 1, number, True))
            assert device.expect(Ack).pid == number
        device.send(Publish("fc/v1/S1/D1/state", b"", 1, 6, True))
        device.send(Publish("fc/v1/S9/D1/state", b"on", 1, 7, True))
        assert [device.expect(Ack).pid, device.expect(Ack).pid] == [6, 7]
        sites = {topic.split("/")[2] for topic in running.endpoint.exchange.retained}
        assert sites == {"S2", "S3", "S9"}
    assert len(running.sink.arrivals) == 7

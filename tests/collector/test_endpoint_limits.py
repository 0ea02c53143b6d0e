"""Everything a client can make us keep has a limit."""

import logging
import resource
import threading
from collections.abc import Sequence

import pytest

from collector import packets
from collector.admission import Limits, Principal
from collector.descriptors import room_for
from collector.fields import Property, Reason
from collector.packets import V5, V311, Ack, Connack, Connect, Disconnect, Publish, encode
from storage.mailbox import Change, Client, MemoryMailbox, SessionKept
from tests.collector.given_endpoint import (
    BOTH,
    CMD,
    PATIENCE_S,
    STATE,
    TELE,
    RawClient,
    client,
    endpoint,
    kept,
    passwords,
    subscribe,
    until,
)


def test_what_waits_for_a_client_is_bounded_in_bytes() -> None:
    with endpoint(Limits(queue_bytes=1000)) as running:
        with client(running.port, **kept(V5)) as device:
            subscribe(device, CMD)
        until(lambda: not running.endpoint.connected)
        for number in range(10):
            running.endpoint.publish(CMD, b"%d" % number * 300)
        running.endpoint.publish(CMD, b"last")
        with client(running.port, **kept(V5)) as device:
            heard = [device.expect(Publish) for _ in range(4)]
            device.send(*(Ack(packets.PUBACK, letter.pid) for letter in heard))
            assert [letter.payload[:1] for letter in heard] == [b"0", b"1", b"2", b"l"]
            assert device.hears_nothing()
            running.endpoint.publish(CMD, b"again")
            assert device.expect(Publish).payload == b"again"


@BOTH
def test_a_client_that_takes_nothing_for_too_long_is_let_go(version: int) -> None:
    with (
        endpoint(Limits(write_buffer=4096, stall_s=0.5)) as running,
        client(running.port, "desk", version=version, keep_alive_s=0) as slow,
    ):
        subscribe(slow, "fc/v1/#", qos=0)
        for _ in range(300):
            running.endpoint.publish(TELE, b"x" * 60_000)
        until(lambda: not running.endpoint.connected)
        last = None
        while (packet := slow.receive()) is not None:
            last = packet
        if isinstance(last, Disconnect):  # it may be cut off before it has room for a last word
            assert last.reason == Reason.QUOTA


def test_packets_that_are_never_completed_are_bounded_together() -> None:
    half = encode(Publish(TELE, b"x" * 60_000, 1, 1), V5)[:50_000]
    with endpoint(Limits(partial_bytes=80_000)) as running, client(running.port) as patient:
        patient.socket.sendall(half)
        with client(running.port, "D2") as second:
            second.socket.sendall(half)
            assert second.expect(Disconnect).reason == Reason.QUOTA
        with client(running.port, "D2") as second:
            second.send(Publish("fc/v1/S1/D2/tele", b"x", 1, 1))
            assert second.expect(Ack).pid == 1


def test_the_session_left_alone_for_longest_makes_room() -> None:
    with endpoint(Limits(sessions=3)) as running:
        for user in ("D1", "D2"):
            with client(running.port, user, **kept(V5)):
                pass
            until(lambda: not running.endpoint.connected)
        with client(running.port, "D3"), client(running.port, "D4"):
            assert Client("D1", "D1") not in running.endpoint.exchange.sessions
            with client(running.port, "D5"):
                raw = RawClient(running.port)
                raw.send(Connect("D6", V5, username="D6", password=b"pw"))
                assert raw.expect(Connack).reason == Reason.QUOTA
                raw.close()


def test_a_client_has_a_limit_of_subscriptions() -> None:
    with endpoint(Limits(filters=2)) as running, client(running.port, "desk") as desk:
        assert subscribe(desk, "a", "b", "c", "a") == (1, 1, Reason.QUOTA, 1)
    with endpoint(Limits(filters=0)) as running, client(running.port, version=V311) as device:
        assert subscribe(device, CMD) == (0x80,)


def test_retained_messages_have_a_limit() -> None:
    with endpoint(Limits(retained=1)) as running, client(running.port) as device:
        device.send(Publish(STATE, b"x", 1, 1, True), Publish(TELE, b"x", 1, 2, True))
        device.expect(Ack)
        device.expect(Ack)
        assert list(running.endpoint.exchange.retained) == [STATE]


def test_a_device_has_a_limit_of_retained_messages_whatever_it_calls_its_site() -> None:
    with endpoint(Limits(retained_each=3)) as running, client(running.port) as device:
        for n in range(3):
            for topic in (f"spBv1.0/S{n}/NDATA/D1", f"fc/v1/S{n}/D1", f"fc/v1/S{n}/D1/state"):
                device.send(Publish(topic, b"x", 1, 1, True))
                device.expect(Ack)
        assert list(running.endpoint.exchange.retained) == [
            "spBv1.0/S0/NDATA/D1",
            "fc/v1/S0/D1",
            "fc/v1/S0/D1/state",
        ]


def test_a_device_finds_what_is_retained_for_it_at_any_site() -> None:
    with endpoint() as running:
        for topic in (CMD, "fc/v1/S2/D1/cmd", "fc/v1/S1/D2/cmd", "spBv1.0/S1/NCMD/D1"):
            running.endpoint.publish(topic, b"x", retain=True)
        with client(running.port) as device:
            subscribe(device, "fc/v1/+/D1/cmd")
            assert {device.expect(Publish).topic for _ in "ab"} == {CMD, "fc/v1/S2/D1/cmd"}
            subscribe(device, "spBv1.0/+/NCMD/D1")
            assert device.expect(Publish).topic == "spBv1.0/S1/NCMD/D1"
            assert device.hears_nothing()


def test_many_subscriptions_at_once_are_kept_once() -> None:
    class Counting(MemoryMailbox):
        kept = 0

        def write(self, changes: Sequence[Change]) -> None:
            self.kept += sum(isinstance(change, SessionKept) for change in changes)
            super().write(changes)

    mailbox = Counting()
    with endpoint(mailbox=mailbox) as running, client(running.port, **kept(V5)) as device:
        reasons = subscribe(device, *(f"fc/v1/S{n}/D1/cmd" for n in range(200)))
        assert reasons == (1,) * 100 + (Reason.QUOTA,) * 100
        (session,) = mailbox.load().sessions.values()
        assert (len(session.filters), mailbox.kept) == (100, 2)  # at the CONNECT, and now


def test_retained_messages_have_a_limit_in_bytes_that_is_given_back() -> None:
    with endpoint(Limits(retained_bytes=100)) as running, client(running.port) as device:
        told = ((STATE, 80), (TELE, 30), (STATE, 60), (TELE, 40), (STATE, 0), (TELE, 100))
        for pid, (topic, size) in enumerate(told, 1):
            device.send(Publish(topic, b"x" * size, 1, pid, True))
            device.expect(Ack)
        held = running.endpoint.exchange.retained
        assert {topic: len(letter.payload) for topic, letter in held.items()} == {TELE: 100}


def test_no_letter_is_larger_than_its_client_takes() -> None:
    with (
        endpoint() as running,
        client(running.port, properties={Property.MAXIMUM_PACKET: 100}) as device,
    ):
        subscribe(device, CMD)
        running.endpoint.publish(CMD, b"x" * 100)
        running.endpoint.publish(CMD, b"y" * 50)
        assert device.expect(Publish).payload == b"y" * 50


def test_descriptors_are_asked_for_as_far_as_the_system_gives_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert room_for(1000) == 1000
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1200
        assert not caplog.records
        with caplog.at_level(logging.ERROR):
            assert room_for(hard + 1) == hard - 200
        assert "raise LimitNOFILE" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_passwords_that_take_long_to_check_hold_up_nobody_who_is_there() -> None:
    asked, answered = threading.Semaphore(0), threading.Event()

    def slow(user: str, password: str) -> Principal | None:
        if user != "D1":
            asked.release()
            answered.wait(PATIENCE_S)
        return passwords(user, password)

    with endpoint(authenticate=slow) as running, client(running.port) as device:
        crowd = [RawClient(running.port) for _ in range(20)]
        for number, raw in enumerate(crowd):
            raw.send(Connect(f"S{number}", V5, username=f"S{number}", password=b"pw"))
        assert asked.acquire(timeout=PATIENCE_S)
        for pid in range(1, 50):
            device.send(Publish(TELE, b"x", 1, pid))
            assert device.expect(Ack).pid == pid
        answered.set()
        for raw in crowd:
            assert not raw.expect(Connack).reason
            raw.close()

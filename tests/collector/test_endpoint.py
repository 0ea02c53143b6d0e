"""What our endpoint promises to devices, spoken in raw packets."""

import errno
import random
import socket
import threading
import time
from typing import Any

import pytest

from collector import packets
from collector.admission import Limits, Principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from collector.fields import Property, Reason
from collector.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Granted,
    Ping,
    Publish,
    Subscribe,
    Wanted,
    Will,
    encode,
)
from desk.arrival import Arrival
from equipment.wire import PAYLOAD_LIMIT
from tests.collector.given_endpoint import (
    BOTH,
    CMD,
    PATIENCE_S,
    STATE,
    TELE,
    RawClient,
    Recorder,
    Running,
    client,
    endpoint,
    hangs_up,
    kept,
    passwords,
    subscribe,
    until,
)
from tests.collector.test_packets import SEEDS, mutated

# -- the promise


@BOTH
def test_a_message_is_acknowledged_only_once_it_is_kept(running: Running, version: int) -> None:
    with client(running.port, version=version) as device:
        running.sink.open.clear()
        device.send(Publish(TELE, b"1", 1, 7))
        assert running.sink.asked.wait(PATIENCE_S)
        assert device.hears_nothing()
        running.sink.open.set()
        assert device.expect(Ack) == Ack(packets.PUBACK, 7)
    assert running.sink.arrivals == [Arrival("D1", TELE, b"1")]


def test_a_store_that_fails_is_asked_again_and_nothing_is_lost(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.sink.failing = [OSError(errno.ENOSPC, "disk full"), RuntimeError("database is away")]
    with client(running.port) as device:
        device.send(*(Publish(TELE, b"%d" % n, 1, n) for n in range(1, 4)))
        assert [device.expect(Ack).pid for _ in range(3)] == [1, 2, 3]
    assert [a.payload for a in running.sink.wait_for(3)] == [b"1", b"2", b"3"]
    assert running.committer.failures == 2
    assert "nothing acknowledged" in caplog.text


def test_what_fails_after_the_acknowledgement_does_not_stop_the_next_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Clumsy(Recorder):
        def act(self, kept: Any) -> None:
            raise ZeroDivisionError("a rule is wrong")

    committer = Committer(Clumsy())
    committer.start()
    server = Endpoint(committer, passwords, port=0)
    server.start()
    with client(server.port) as device:
        for pid in (1, 2):
            device.send(Publish(TELE, b"x", 1, pid))
            assert device.expect(Ack).pid == pid
    server.stop()
    assert committer.stop()
    assert "a rule is wrong" in caplog.text


def test_what_comes_during_a_commit_is_the_next_batch(running: Running) -> None:
    with client(running.port) as device, client(running.port, "D2") as other:
        running.sink.open.clear()
        device.send(Publish(TELE, b"first", 1, 1))
        assert running.sink.asked.wait(PATIENCE_S)
        for pid in range(2, 100):
            device.send(Publish(TELE, b"x", 1, pid))
        other.send(Publish("fc/v1/S1/D2/tele", b"x", 1, 1))
        assert device.hears_nothing()
        assert other.hears_nothing()
        running.sink.open.set()
        assert [device.expect(Ack).pid for _ in range(99)] == list(range(1, 100))
        assert other.expect(Ack).pid == 1
    assert running.sink.batches == [1, 99]


@BOTH
def test_bytes_may_come_one_at_a_time(running: Running, version: int) -> None:
    with client(running.port, version=version) as device:
        device.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in encode(Publish(TELE, b"slow", 1, 3), version):
            device.socket.sendall(bytes((byte,)))
            time.sleep(0.001)
        assert device.expect(Ack).pid == 3
    assert running.sink.arrivals == [Arrival("D1", TELE, b"slow")]


def test_a_client_need_not_wait_for_its_welcome(running: Running) -> None:
    raw = RawClient(running.port)
    raw.send(
        Connect("D1", V5, username="D1", password=b"pw"),
        Publish(TELE, b"1", 1, 1),
        Subscribe(2, (Wanted(CMD, 1),)),
    )
    assert not raw.expect(Connack).reason
    assert raw.expect(Ack).pid == 1
    assert raw.expect(Granted).reasons == (1,)
    raw.close()


# -- who may do what


@BOTH
@pytest.mark.parametrize(("user", "password"), [("D1", b"no"), (None, None), ("D1", b"\xff")])
def test_a_client_without_its_password_is_refused(
    running: Running, version: int, user: str | None, password: bytes | None
) -> None:
    raw = RawClient(running.port, version)
    raw.send(Connect("D1", version, username=user, password=password))
    assert raw.expect(Connack).reason == (Reason.BAD_CREDENTIALS if version == V5 else 4)
    assert raw.receive() is None
    raw.close()


@BOTH
def test_a_message_on_a_foreign_topic_reaches_the_desk_and_nobody_else(
    running: Running, version: int
) -> None:
    foreign = "fc/v1/S1/D2/state"
    with (
        client(running.port, "desk", name="watch") as watch,
        client(running.port, version=version) as device,
    ):
        subscribe(watch, "fc/v1/#")
        device.send(Publish(foreign, b"x", 1, 1, retain=True))
        assert device.expect(Ack).reason == (Reason.NOT_AUTHORIZED if version == V5 else 0)
        assert watch.hears_nothing()
    assert running.sink.arrivals == [Arrival("D1", foreign, b"x")]
    assert not running.endpoint.exchange.retained


def test_a_device_may_read_its_own_requests_only(running: Running) -> None:
    with client(running.port) as device:
        no = Reason.NOT_AUTHORIZED
        reasons = subscribe(device, CMD, "fc/v1/S1/D2/cmd", "fc/v1/#", "$share/g/x", "a#")
        assert reasons == (1, no, no, Reason.SHARED, Reason.BAD_FILTER)


def test_a_client_id_belongs_to_its_user(running: Running) -> None:
    with client(running.port, "D1", name="same"), client(running.port, "D2", name="same") as other:
        assert other.hears_nothing()
        assert running.endpoint.connected == 2


def test_a_device_cannot_ask_itself(running: Running) -> None:
    with client(running.port) as device:
        subscribe(device, CMD)
        device.send(Publish(CMD, b"reboot", 1, 1))
        assert device.expect(Ack).reason == Reason.NOT_AUTHORIZED
        assert device.hears_nothing()
    assert running.sink.arrivals == [Arrival("D1", CMD, b"reboot")]


def test_a_request_goes_to_the_device_and_not_to_the_desk(running: Running) -> None:
    with client(running.port) as device, client(running.port, "desk") as desk:
        subscribe(device, CMD)
        desk.send(Publish(CMD, b"reboot", 1, 1))
        assert desk.expect(Ack).reason == 0
        assert device.expect(Publish).payload == b"reboot"
        running.endpoint.publish(CMD, b"again")
        assert device.expect(Publish).payload == b"again"
    assert running.sink.arrivals == []


# -- limits


@BOTH
def test_an_oversize_payload_is_told_to_the_desk_and_to_the_sender(
    running: Running, version: int
) -> None:
    with client(running.port, version=version) as device:
        device.send(Publish(TELE, b"x" * (PAYLOAD_LIMIT + 1000), 1, 1), Publish(TELE, b"ok", 1, 2))
        assert device.expect(Ack).reason == (Reason.QUOTA if version == V5 else 0)
        assert device.expect(Ack).pid == 2
    assert [len(a.payload) for a in running.sink.arrivals] == [PAYLOAD_LIMIT + 1, 2]


def test_a_packet_beyond_the_limit_is_told_to_the_desk_and_ends_the_connection(
    running: Running,
) -> None:
    with client(running.port) as device:
        huge = encode(Publish(TELE, b"x" * (1 << 20), 1, 1), V5)
        device.socket.sendall(huge[: 3 << 16])
        assert device.expect(Disconnect).reason == Reason.TOO_LARGE
    (arrival,) = running.sink.wait_for(1)
    assert arrival == Arrival("D1", TELE, b"x" * (PAYLOAD_LIMIT + 1))


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Publish(TELE, b"", 1, 1, properties={Property.ALIAS: 11}), Reason.BAD_ALIAS),
        (Publish(TELE, b"", 1, 1, properties={Property.ALIAS: 0}), Reason.BAD_ALIAS),
        (Publish("", b"", 1, 1, properties={Property.ALIAS: 1}), Reason.PROTOCOL_ERROR),
        (Publish(TELE, b"", properties={Property.SUBSCRIPTION_ID: (1,)}), Reason.PROTOCOL_ERROR),
        (Connect("D1", V5), Reason.PROTOCOL_ERROR),
        (Connack(), Reason.PROTOCOL_ERROR),
        (Ack(packets.PUBREC, 1), Reason.PROTOCOL_ERROR),
        (Disconnect(0, {Property.SESSION_EXPIRY: 1}), Reason.PROTOCOL_ERROR),
    ],
)
def test_what_was_not_offered_ends_the_connection_with_its_reason(
    running: Running, packet: packets.Packet, reason: Reason
) -> None:
    with client(running.port) as device:
        device.send(packet)
        assert device.expect(Disconnect).reason == reason
        assert device.receive() is None


def test_more_in_flight_than_offered_ends_the_connection() -> None:
    with endpoint(Limits(receive_maximum=5)) as running, client(running.port) as device:
        running.sink.open.clear()
        device.send(*(Publish(TELE, b"", 1, n) for n in range(1, 7)))
        assert device.expect(Disconnect).reason == Reason.RECEIVE_MAXIMUM


def test_the_welcome_names_the_limits(running: Running) -> None:
    raw = RawClient(running.port)
    raw.send(Connect("", V5, keep_alive_s=0, username="D1", password=b"pw"))
    offered = raw.expect(Connack).properties
    assert offered[Property.MAXIMUM_PACKET] == 1 << 20
    assert offered[Property.ALIAS_MAXIMUM] == 10
    assert offered[Property.SHARED_AVAILABLE] == 0
    assert Property.MAXIMUM_QOS not in offered
    assert offered[Property.SERVER_KEEP_ALIVE] == 600
    assert offered[Property.ASSIGNED_CLIENT].startswith("auto-")
    raw.close()


def test_a_client_that_says_nothing_is_let_go() -> None:
    with endpoint(Limits(connect_s=0.5)) as running:
        assert hangs_up(running.port)


def test_too_many_connections_are_turned_away() -> None:
    with endpoint(Limits(connections=1)) as running, client(running.port) as device:
        assert hangs_up(running.port)
        assert device.hears_nothing()


def test_a_user_cannot_open_sessions_without_end(running: Running) -> None:
    for number in range(6):
        with client(running.port, name=f"s{number}", **kept(V5)):
            pass
        until(lambda: running.endpoint.connected == 0)
    assert len(running.endpoint.exchange.sessions) == 4


def test_a_client_that_takes_no_answers_is_not_heard_any_more() -> None:
    with endpoint(Limits(write_buffer=4096)) as running:
        with client(running.port, version=V311) as device:
            device.socket.settimeout(1)
            ping = encode(Ping(), V311) * 30_000
            with pytest.raises(TimeoutError):
                _send_forever(device, ping)
        with client(running.port, "D2") as other:
            assert other.hears_nothing()


def test_a_slow_subscriber_gets_everything_in_the_end_and_holds_up_nobody() -> None:
    with (
        endpoint(Limits(write_buffer=4096, inflight=10)) as running,
        client(running.port, "desk", name="slow", **kept(V5)) as slow,
        client(running.port) as device,
    ):
        subscribe(slow, TELE)
        device.send(*(Publish(TELE, b"%d" % n + bytes(5000), 1, n) for n in range(1, 901)))
        assert [device.expect(Ack).pid for _ in range(900)] == list(range(1, 901))
        numbers = []
        for _ in range(900):
            message = slow.expect(Publish)
            numbers.append(int(message.payload.rstrip(b"\0")))
            slow.send(Ack(packets.PUBACK, message.pid))
        assert numbers == list(range(1, 901))


def test_a_queue_is_bounded() -> None:
    with endpoint(Limits(queue=10)) as running:
        with client(running.port, **kept(V5)) as device:
            subscribe(device, CMD)
        for number in range(20):
            running.endpoint.publish(CMD, b"%d" % number)
        with client(running.port, **kept(V5)) as device:
            got = [device.expect(Publish).payload for _ in range(10)]
            assert got == [b"%d" % n for n in range(10)]
            assert device.hears_nothing()


def _send_forever(raw: RawClient, data: bytes) -> None:
    while True:
        raw.socket.sendall(data)


def test_what_was_taken_is_acknowledged_before_the_end() -> None:
    with endpoint() as running, client(running.port, will=Will(STATE, b"offline", 1)) as device:
        running.sink.open.clear()
        device.send(*(Publish(TELE, b"x", 1, n) for n in range(1, 50)))
        assert running.sink.asked.wait(PATIENCE_S)
        assert device.hears_nothing()
        ending = threading.Thread(target=running.endpoint.stop)
        ending.start()
        running.sink.open.set()
        assert [device.expect(Ack).pid for _ in range(49)] == list(range(1, 50))
        assert device.expect(Disconnect).reason == Reason.SHUTTING_DOWN
        assert device.receive() is None
        ending.join(PATIENCE_S)
        assert running.committer.stop()
        assert {a.payload for a in running.sink.arrivals} == {b"x"}


def test_a_store_that_never_comes_back_does_not_hold_up_the_end() -> None:
    sink = Recorder()
    sink.failing = [OSError("gone")] * 1000
    committer = Committer(sink)
    committer.start()
    server = Endpoint(committer, passwords, port=0)
    server.start()
    with client(server.port) as device:
        device.send(Publish(TELE, b"x", 1, 1))
        assert sink.asked.wait(PATIENCE_S)
        server.stop(timeout_s=0.5)
        assert not committer.stop(timeout_s=0.1)
        assert device.expect(Disconnect).reason == Reason.SHUTTING_DOWN
        assert device.receive() is None
    assert sink.arrivals == []


def test_an_address_that_is_taken_is_an_error_at_the_start(running: Running) -> None:
    committer = Committer(Recorder())
    with pytest.raises(OSError, match="in use"):
        Endpoint(committer, passwords, port=running.port).start()


def test_a_question_that_fails_refuses_the_client() -> None:
    def broken(_user: str, _password: str) -> Principal | None:
        raise LookupError("records are away")

    with endpoint(authenticate=broken) as running:
        raw = RawClient(running.port)
        raw.send(Connect("D1", V5, username="D1", password=b"pw"))
        assert raw.expect(Connack).reason == Reason.BAD_CREDENTIALS
        raw.close()


def test_nothing_a_client_sends_disturbs_the_others(running: Running) -> None:
    random_ = random.Random(20_261_124)
    hello = encode(Connect("bad", V5, username="D2", password=b"pw"), V5)
    with client(running.port) as device:
        for turn in range(1500):
            raw = socket.create_connection(("127.0.0.1", running.port))
            seed = encode(SEEDS[turn % len(SEEDS)], V5)
            data = mutated(random_, seed) if turn % 8 else mutated(random_, hello + seed)
            raw.sendall((hello if turn % 8 else b"") + data + mutated(random_, seed))
            raw.close()
            if turn % 300 == 0:
                device.send(Publish(TELE, b"alive", 1, turn + 1))
                assert device.expect(Ack).pid == turn + 1
        assert device.hears_nothing()
    until(lambda: running.endpoint.connected == 0)
    assert running.sink.arrivals.count(Arrival("D1", TELE, b"alive")) == 5


def test_trusted_messages_carry_no_sender(running: Running) -> None:
    with client(running.port, "desk") as gateway:
        gateway.send(Publish(TELE, b"x", 1, 1), Publish("fc/v1/S1/D2/tele", b"y", 0))
        gateway.expect(Ack)
    assert running.sink.wait_for(2)[1] == Arrival(None, "fc/v1/S1/D2/tele", b"y")

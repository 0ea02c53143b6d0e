"""A broker of somebody else: nothing is acknowledged to it before it is kept here."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.address import BadAddress
from collector.committer import Committer
from collector.mqtt import WAITING_MESSAGES, Broker, listen
from desk.arrival import Arrival
from tests.collector.given_endpoint import PATIENCE_S, STATE, TELE, Recorder, until
from tests.servers import Mosquitto, mosquitto, program

pytestmark = pytest.mark.mosquitto
Listening = Callable[..., AbstractContextManager[Broker]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["in runs", "one by one"])
def listening(request: pytest.FixtureRequest) -> Listening:
    @contextmanager
    def start(server: Mosquitto, sink: Recorder, patience_s: float = 10.0) -> Iterator[Broker]:
        committer = Committer(sink)
        committer.start()
        broker = listen(server.url("fieldcare"), committer, bulk=request.param)
        try:
            assert broker.wait_until_subscribed(PATIENCE_S)
            yield broker
        finally:
            broker.stop()
            committer.stop(patience_s)

    return start


def publish(server: Mosquitto, topic: str, *lines: str, retain: bool = False) -> None:
    command = [program("mosquitto_pub"), "-V", "5", "-h", "127.0.0.1", "-p", str(server.port)]
    command += ["-u", "D1", "-P", "one", "-q", "1", "-t", topic]
    many = ["-r", "-m", lines[0]] if retain else ["-l"]
    text = "".join(f"{line}\n" for line in lines).encode()
    subprocess.run([*command, *many], input=text, check=True, timeout=PATIENCE_S)


def payloads(arrivals: list[Arrival]) -> list[int]:
    return [int(a.payload) for a in arrivals]


def test_messages_of_a_broker_reach_the_desk(server: Mosquitto, listening: Listening) -> None:
    sink = Recorder()
    with listening(server, sink) as broker:
        publish(server, TELE, "1", "2", "3")
        assert sink.wait_for(3) == [Arrival(None, TELE, b"%d" % n) for n in (1, 2, 3)]
        assert broker.connected


def test_a_retained_message_says_that_it_is_one(server: Mosquitto, listening: Listening) -> None:
    publish(server, STATE, "online", retain=True)
    sink = Recorder()
    with listening(server, sink):
        assert sink.wait_for(1) == [Arrival(None, STATE, b"online", retained=True)]


def test_the_broker_keeps_what_comes_while_we_are_away(
    server: Mosquitto, listening: Listening
) -> None:
    with listening(server, Recorder()):
        pass
    publish(server, TELE, *map(str, range(5000)))
    sink = Recorder()
    with listening(server, sink):
        assert payloads(sink.wait_for(5000)) == list(range(5000))


def test_what_was_not_kept_is_sent_again(server: Mosquitto, listening: Listening) -> None:
    sink = Recorder()
    sink.failing = [OSError("disk full")] * 1000
    with listening(server, sink, patience_s=0.1):
        publish(server, TELE, "1", "2")
        until(lambda: len(sink.failing) < 1000)
    assert sink.arrivals == []
    second = Recorder()
    with listening(server, second):
        assert payloads(second.wait_for(2)) == [1, 2]


def test_a_broker_that_is_killed_loses_nothing_it_has_saved(
    server: Mosquitto, listening: Listening
) -> None:
    with listening(server, Recorder()):
        pass
    publish(server, TELE, *map(str, range(3000)))
    published_at = time.time()
    until(lambda: server.saved_at() > published_at)  # autosave_interval is 1 s
    server.kill()
    server.start()
    sink = Recorder()
    with listening(server, sink):
        assert payloads(sink.wait_for(3000)) == list(range(3000))


def test_a_broker_that_restarts_is_found_again(server: Mosquitto, listening: Listening) -> None:
    sink = Recorder()
    with listening(server, sink) as broker:
        server.stop()
        until(lambda: not broker.connected)
        server.start()
        assert broker.wait_until_subscribed(PATIENCE_S)
        publish(server, TELE, "1")
        assert payloads(sink.wait_for(1)) == [1]


def test_a_batch_that_waits_is_acknowledged_before_we_leave(
    server: Mosquitto, listening: Listening
) -> None:
    sink = Recorder()
    sink.open.clear()
    with listening(server, sink):
        publish(server, TELE, *map(str, range(100)))
        assert sink.asked.wait(PATIENCE_S)
        threading.Timer(0.3, sink.open.set).start()
    second = Recorder()
    with listening(server, second):
        publish(server, TELE, "new")
        assert [a.payload for a in second.wait_for(1)] == [b"new"]


def test_above_the_limits_nothing_more_is_read_and_nothing_is_lost(
    server: Mosquitto, listening: Listening
) -> None:
    sink = Recorder()
    sink.open.clear()
    many = 2 * WAITING_MESSAGES
    with listening(server, sink) as broker:
        publish(server, TELE, *map(str, range(many)))
        time.sleep(0.5)
        assert broker.waiting[0] <= WAITING_MESSAGES + 10_000
        sink.open.set()
        assert payloads(sink.wait_for(many)) == list(range(many))


def test_a_request_reaches_its_device(server: Mosquitto, listening: Listening) -> None:
    command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(server.port), "-u", "D1"]
    command += ["-P", "one", "-q", "1", "-i", "D1", "-c", "-t", "fc/v1/+/D1/cmd"]
    subprocess.run([*command, "-E"], check=True, timeout=PATIENCE_S)
    sink = Recorder()
    with listening(server, sink) as broker:
        broker.publish("fc/v1/S1/D1/cmd", b"reboot")
        heard = subprocess.run(
            [*command, "-C", "1", "-W", "20"], capture_output=True, check=True, timeout=30
        )
    assert heard.stdout == b"reboot\n"
    assert sink.arrivals == []


def test_the_shipped_rules_keep_devices_apart(server: Mosquitto, listening: Listening) -> None:
    base = [program("mosquitto_sub"), "-V", "5", "-h", "127.0.0.1", "-p", str(server.port)]
    sink = Recorder()
    with listening(server, sink):
        publish(server, "fc/v1/S1/D2/tele", "1")
        publish(server, "other/topic", "2")
        publish(server, TELE, "3")
        assert payloads(sink.wait_for(1)) == [3]
        listens = subprocess.run(
            [*base, "-u", "D2", "-P", "two", "-t", TELE, "-t", "fc/v1/#", "-q", "1", "-W", "2",
             "--retained-only"],
            capture_output=True, check=False, timeout=30,
        )  # fmt: skip
        assert listens.stdout == b""
    anonymous = subprocess.run([*base, "-t", "#", "-W", "2"], capture_output=True, check=False)
    assert anonymous.returncode not in (0, 27)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://broker", "scheme 'http'"),
        ("mqtt://", "no host"),
        ("mqtt://user:secret@broker:99999", "port"),
        ("mqtt://user:secret/1@broker:1883", "port cannot be read; in a password /"),
        ("mqtt://user:12secret#1@broker", "port"),
        ("mqtt://user:]secret[@broker", "host"),
    ],
)
def test_an_address_that_cannot_be_used_is_named_without_its_password(url: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says) as caught:
        listen(url, Committer(Recorder()))
    assert "secret" not in str(caught.value)


def test_a_broker_that_refuses_us_is_named_in_the_log(
    server: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    committer = Committer(Recorder())
    broker: Any = listen(f"mqtt://fieldcare:wrong@127.0.0.1:{server.port}", committer)
    until(lambda: "the broker refuses us" in caplog.text)
    broker.stop()
    assert "wrong" not in caplog.text

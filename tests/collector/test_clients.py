"""Clients that others wrote get the same answers from us as from a real mosquitto."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.collector.given_endpoint import PATIENCE_S, TELE, endpoint
from tests.servers import mosquitto, program

CMD = "fc/v1/S1/D1/cmd"
STATE = "fc/v1/S1/D1/state"
VERSIONS = pytest.mark.parametrize("version", ["311", "5"])


@dataclass
class Server:
    """Ours or mosquitto: where it listens and the passwords it knows."""

    port: int
    device: tuple[str, str]
    desk: tuple[str, str]


@pytest.fixture(params=["ours", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with _ours() if request.param == "ours" else _theirs(tmp_path) as running:
        yield running


@contextmanager
def _ours() -> Iterator[Server]:
    with endpoint() as running:
        yield Server(running.port, ("D1", "pw"), ("desk", "pw"))


@contextmanager
def _theirs(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path, D1="one", fieldcare="two") as running:
        yield Server(running.port, ("D1", "one"), ("fieldcare", "two"))


class Paho:
    """A paho client that collects what it hears."""

    def __init__(self, server: Server, who: tuple[str, str], version: str, **asked: Any) -> None:
        five = version == "5"
        clean = asked.pop("clean", True)
        protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=asked.pop("name", who[0]),
            protocol=protocol,
            **({} if five else {"clean_session": clean}),
        )
        self.client.username_pw_set(*who)
        self.heard: list[tuple[str, bytes, bool]] = []
        self.present: bool | None = None
        self._changed = threading.Condition()
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self._granted: list[int] = []
        will = asked.pop("will", None)
        if will:
            self.client.will_set(will[0], will[1], qos=1, retain=True)
        if five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0 if clean else 600
            asked |= {"clean_start": clean, "properties": properties}
        self.client.connect("127.0.0.1", server.port, 30, **asked)
        self.client.loop_start()
        self._wait(lambda: self.present is not None)

    def _wait(self, true: Any) -> None:
        with self._changed:
            assert self._changed.wait_for(true, PATIENCE_S)

    def _on_connect(self, _c: Client, _d: Any, flags: Any, reason: Any, _p: Any) -> None:
        with self._changed:
            assert not reason.is_failure
            self.present = bool(flags.session_present)
            self._changed.notify_all()

    def _on_subscribe(self, _c: Client, _d: Any, _m: int, reasons: Any, _p: Any) -> None:
        with self._changed:
            self._granted = [reason.value for reason in reasons]
            self._changed.notify_all()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._changed:
            self.heard.append((message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()

    def subscribe(self, topic: str, qos: int = 1) -> int:
        self._granted = []
        self.client.subscribe(topic, qos)
        self._wait(lambda: self._granted)
        return self._granted[0]

    def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE_S)

    def wait_for(self, count: int) -> list[tuple[str, bytes, bool]]:
        self._wait(lambda: len(self.heard) >= count)
        return self.heard

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self) -> None:
        """Close the socket without a goodbye."""
        self.client.loop_stop()
        self.client.socket().close()  # type: ignore[union-attr]


@VERSIONS
def test_messages_reach_their_subscribers_in_order(server: Server, version: str) -> None:
    watch = Paho(server, server.desk, version, name="watch")
    assert watch.subscribe("fc/v1/+/+/tele") == 1
    device = Paho(server, server.device, version)
    for number in range(50):
        device.publish(TELE, b"%d" % number)
    assert watch.wait_for(50) == [(TELE, b"%d" % n, False) for n in range(50)]
    device.close()
    watch.close()


@VERSIONS
def test_a_session_waits_for_its_client(server: Server, version: str) -> None:
    device = Paho(server, server.device, version, clean=False)
    assert device.present is False
    device.subscribe(CMD)
    device.close()
    desk = Paho(server, server.desk, version)
    desk.publish(CMD, b"1")
    desk.publish(CMD, b"2")
    again = Paho(server, server.device, version, clean=False)
    assert again.present is True
    assert again.wait_for(2) == [(CMD, b"1", False), (CMD, b"2", False)]
    again.close()
    desk.close()


@VERSIONS
def test_retained_messages_and_wills(server: Server, version: str) -> None:
    device = Paho(server, server.device, version, will=(STATE, b"offline"))
    device.publish(STATE, b"online", retain=True)
    watch = Paho(server, server.desk, version, name="watch")
    watch.subscribe("fc/v1/#")
    assert watch.wait_for(1) == [(STATE, b"online", True)]
    device.vanish()
    assert watch.wait_for(2)[1] == (STATE, b"offline", False)
    late = Paho(server, server.desk, version, name="late")
    late.subscribe(STATE)
    assert late.wait_for(1) == [(STATE, b"offline", True)]
    late.close()
    watch.close()


@VERSIONS
def test_a_second_connection_takes_over(server: Server, version: str) -> None:
    first = Paho(server, server.device, version)
    gone = threading.Event()
    first.client.on_disconnect = lambda *_: gone.set()
    first.client.reconnect_delay_set(60, 60)
    second = Paho(server, server.device, version)
    assert gone.wait(PATIENCE_S)
    second.publish(TELE, b"still here")
    first.client.loop_stop()
    second.close()


@VERSIONS
def test_a_foreign_topic_reaches_nobody(server: Server, version: str) -> None:
    watch = Paho(server, server.desk, version, name="watch")
    watch.subscribe("fc/v1/#")
    device = Paho(server, server.device, version)
    device.publish("fc/v1/S1/D2/tele", b"foreign")
    device.publish(TELE, b"own")
    assert watch.wait_for(1) == [(TELE, b"own", False)]
    device.close()
    watch.close()


@VERSIONS
def test_aiomqtt_publishes_and_hears(server: Server, version: str) -> None:
    protocol = aiomqtt.ProtocolVersion.V5 if version == "5" else aiomqtt.ProtocolVersion.V311

    async def story() -> tuple[str, Any]:
        name, password = server.desk
        async with aiomqtt.Client(
            "127.0.0.1", server.port, username=name, password=password, protocol=protocol
        ) as client:
            await client.subscribe("fc/v1/+/D1/#", qos=1)
            await client.publish(TELE, b"hello", qos=1)
            async for message in client.messages:
                return str(message.topic), message.payload
        raise AssertionError("nothing heard")

    assert asyncio.run(asyncio.wait_for(story(), PATIENCE_S)) == (TELE, b"hello")


@pytest.mark.mosquitto
@VERSIONS
def test_mosquitto_pub_and_sub_speak_to_us(server: Server, version: str) -> None:
    common = ["-V", version, "-h", "127.0.0.1", "-p", str(server.port)]
    desk, device = (["-u", n, "-P", p] for n, p in (server.desk, server.device))
    sub, pub = program("mosquitto_sub"), program("mosquitto_pub")
    wait = ["-t", "fc/v1/#", "-q", "1", "-C", "3", "-W", "20", "-F", "%t %p %q"]
    subprocess.run([sub, *common, *desk, "-i", "w", "-c", "-q", "1", "-t", "fc/v1/#", "-E"]
                   + (["-x", "600"] if version == "5" else []), check=True)  # fmt: skip
    lines = b"1\n2\n3\n"
    publish = [pub, *common, *device, "-q", "1", "-t", TELE, "-l"]
    subprocess.run(publish, input=lines, check=True, timeout=PATIENCE_S)
    keep = ["-x", "600"] if version == "5" else []
    heard = subprocess.run(
        [sub, *common, *desk, "-i", "w", "-c", *keep, *wait], capture_output=True, check=True
    )
    assert heard.stdout.decode().split("\n")[:3] == [f"{TELE} {n} 1" for n in (1, 2, 3)]


@pytest.mark.mosquitto
@pytest.mark.parametrize(("version", "code"), [("311", 4), ("5", 134)])
def test_mosquitto_pub_is_told_that_its_password_is_wrong(
    server: Server, version: str, code: int
) -> None:
    name, _ = server.device
    command = [program("mosquitto_pub"), "-V", version, "-h", "127.0.0.1", "-p", str(server.port)]
    command += ["-u", name, "-P", "wrong", "-t", TELE, "-m", "x"]
    refused = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S)
    theirs = {code, 5, 135}  # mosquitto says: not authorised
    assert refused.returncode in theirs

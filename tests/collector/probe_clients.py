"""The clients of the probe: paho with its memory, mosquitto's commands, and who serves them."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.admission import Principal, device_principal, operator_principal
from storage.mailbox import SqliteMailbox
from tests.collector.given_endpoint import PATIENCE_S, endpoint
from tests.servers import mosquitto, program

DESK = "fieldcare"
V311, V5 = "311", "5"


@dataclass
class Server:
    """Ours or mosquitto, and how to stop and start it. Everybody's password is ``pw``."""

    name: str
    port: int
    restart: Callable[[], None]


def _passwords(user: str, password: str) -> Principal | None:
    if password != "pw":
        return None
    return operator_principal() if user == DESK else device_principal(user)


@contextmanager
def ours(folder: Path, _devices: list[str]) -> Iterator[Server]:
    """Run our endpoint."""
    running = ExitStack()
    port = 0

    def restart() -> None:
        nonlocal port
        running.close()
        mailbox = SqliteMailbox(folder / "mail")
        started = endpoint(mailbox=mailbox, authenticate=_passwords, port=port)
        port = running.enter_context(started).port

    with running:
        restart()
        yield Server("ours", port, restart)


@contextmanager
def theirs(folder: Path, devices: list[str]) -> Iterator[Server]:
    """Run a mosquitto with the shipped configuration."""
    with mosquitto(folder, **dict.fromkeys((DESK, *devices), "pw")) as running:

        def restart() -> None:
            running.stop()
            running.start()

        yield Server("mosquitto", running.port, restart)


class Heard(NamedTuple):
    """A message as a client heard it; ``properties`` only what MQTT 5 clients see."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    again: bool
    properties: dict[str, Any]


class Paho:
    """A paho client that remembers."""

    def __init__(self, server: Server, user: str, version: str, **asked: Any) -> None:
        five = version == V5
        self.five = five
        clean, expiry_s = asked.get("clean", True), asked.get("expiry_s")
        values = dict(asked.get("properties", {}))
        if expiry_s is None and not clean:
            expiry_s = 600
        if expiry_s is not None:
            values["SessionExpiryInterval"] = expiry_s
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=asked.get("name", user),
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            manual_ack=asked.get("manual", False),
            reconnect_on_failure=False,
            **({} if five else {"clean_session": clean}),
        )
        self.client.username_pw_set(user, asked.get("password", "pw"))
        self._changed = threading.Condition()
        self.heard: list[Heard] = []
        self._raw: list[MQTTMessage] = []
        self.welcome: tuple[bool, int] | None = None
        self.offered: dict[str, Any] = {}
        self.ended: int | None = None
        self._answers: dict[int, list[int]] = {}
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = self._on_message
        self.client.on_subscribe = self.client.on_unsubscribe = self._on_answer
        self.client.on_publish = self._on_published
        self._will(asked.get("will"))
        extra = {"clean_start": clean, "properties": _made(PacketTypes.CONNECT, values)}
        self.client.connect(
            "127.0.0.1", server.port, asked.get("keep_alive_s", 30), **(extra if five else {})
        )
        self.client.loop_start()
        self.wait(lambda: self.welcome is not None or self.ended is not None)

    def _will(self, will: Any) -> None:
        if will is None:
            return
        topic, payload, *values = will
        properties = _made(PacketTypes.WILLMESSAGE, values[0]) if values and self.five else None
        self.client.will_set(topic, payload, 1, True, properties)

    def wait(self, true: Callable[[], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(true, PATIENCE_S)

    def _note(self, change: Callable[[], Any]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _on_connect(self, _c: Client, _d: Any, flags: Any, reason: Any, values: Any) -> None:
        def change() -> None:
            self.offered = _plain(values)
            self.welcome = (bool(flags.session_present), reason.value)

        self._note(change)

    def _on_disconnect(self, _c: Client, _d: Any, _f: Any, reason: Any, _v: Any) -> None:
        self._note(lambda: setattr(self, "ended", reason.value))

    def _on_message(self, _c: Client, _d: Any, m: MQTTMessage) -> None:
        values = _plain(m.properties) if self.five else {}
        heard = Heard(m.topic, bytes(m.payload), m.qos, m.retain, m.dup, values)
        self._note(lambda: (self.heard.append(heard), self._raw.append(m)))

    def _on_answer(self, _c: Client, _d: Any, mid: int, reasons: Any, _v: Any) -> None:
        several = reasons if isinstance(reasons, list) else [reasons]
        self._note(lambda: self._answers.update({mid: [reason.value for reason in several]}))

    def _on_published(self, _c: Client, _d: Any, mid: int, reason: Any, _v: Any) -> None:
        self._note(lambda: self._answers.update({mid: [reason.value]}))

    def _answer(self, mid: int | None) -> list[int]:
        assert mid is not None
        self.wait(lambda: mid in self._answers or self.ended is not None)
        return self._answers.get(mid, [])

    def subscribe(self, topic: str, qos: int = 1, id: int = 0, **options: Any) -> int:
        """Return the reason code of the answer."""
        if not self.five:
            return self._answer(self.client.subscribe(topic, qos)[1])[0]
        values = _made(PacketTypes.SUBSCRIBE, {"SubscriptionIdentifier": id} if id else {})
        chosen = SubscribeOptions(qos, **options)
        return self._answer(self.client.subscribe(topic, options=chosen, properties=values)[1])[0]

    def unsubscribe(self, topic: str) -> list[int]:
        return self._answer(self.client.unsubscribe(topic)[1])

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, **values: Any
    ) -> list[int]:
        """Return the reason code of the answer; nothing where the connection ended instead."""
        properties = _made(PacketTypes.PUBLISH, values) if self.five else None
        return self._answer(self.client.publish(topic, payload, qos, retain, properties).mid)

    def hears(self, count: int) -> list[Heard]:
        """Return what was heard once it is ``count`` messages."""
        self.wait(lambda: len(self.heard) >= count)
        return self.heard

    def acknowledge(self, place: int) -> None:
        """Acknowledge the message heard as number ``place``, where that is left to us."""
        self.client.ack(self._raw[place].mid, self._raw[place].qos)

    def ends(self) -> int | None:
        """Return with which reason the server ended the connection; only MQTT 5 tells."""
        self.wait(lambda: self.ended is not None)
        self.client.loop_stop()
        return self.ended if self.five else None

    def close(self, reason: int = 0, **values: Any) -> None:
        if self.five:
            self.client.disconnect(
                ReasonCode(PacketTypes.DISCONNECT, identifier=reason),
                _made(PacketTypes.DISCONNECT, values),
            )
        else:
            self.client.disconnect()
        self.client.loop_stop()

    def vanish(self) -> None:
        """Close the socket without a goodbye."""
        self.client.loop_stop()
        self.client.socket().close()  # type: ignore[union-attr]


def _made(kind: int, values: dict[str, Any]) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _plain(values: Any) -> dict[str, Any]:
    return {} if values is None else dict(values.json())


def topic(device: str, kind: str) -> str:
    """Return a topic of the device."""
    return f"fc/v1/S1/{device}/{kind}"


def desk_of(server: Server, device: str, version: str, **asked: Any) -> Paho:
    """Return a trusted client for the probe of one device."""
    return Paho(server, DESK, version, name=f"desk-{device}", **asked)


def fenced(desk: Paho, device: str) -> list[Any]:
    """Return what the desk had heard before a message that comes after everything else."""
    desk.subscribe(topic(device, "fence"))
    desk.publish(topic(device, "fence"), b"")
    desk.wait(lambda: any(heard.topic.endswith("/fence") for heard in desk.heard))
    return [heard for heard in desk.heard if not heard.topic.endswith("/fence")]


def brief(heard: list[Any]) -> list[tuple[bytes, int, bool]]:
    """Return (payload, QoS, retained) of what was heard."""
    return [(one.payload, one.qos, one.retain) for one in heard]


def command(name: str, server: Server, user: str, version: str, *more: str) -> list[str]:
    """Return the command line of a mosquitto client."""
    common = ["-V", version, "-h", "127.0.0.1", "-p", str(server.port), "-u", user, "-P", "pw"]
    return [program(name), *common, *more]


def run(arguments: list[str], **more: Any) -> tuple[int, str]:
    """Return the exit code and what was printed."""
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=PATIENCE_S, **more)
    return done.returncode, done.stdout.decode()

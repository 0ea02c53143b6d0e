"""A gateway that speaks Sparkplug B, over a real broker and at our own endpoint."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from desk.register import issue
from equipment.quarantine import Quarantined
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Stores
from tests.equipment import given_sparkplug as sp
from tests.given import BY
from tests.servers import SHIPPED, mosquitto
from tests.story.test_real_broker import fieldcare, until

PATIENCE_S = 30.0
VACUUM = 7


def now_ms() -> int:
    return int(wall_clock().timestamp() * 1000)


class Gateway:
    """An edge node with one device. It is born again when it is told to."""

    def __init__(self, port: int, user: str, password: str, bd: int = 3) -> None:
        self.name, self.bd, self.seq = user.rpartition("/")[2], bd, 0
        self.rebirths, self.hosts = 0, []
        self._lock = threading.Lock()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=f"edge-{self.name}-{bd}")
        self.client.username_pw_set(user, password)
        self.client.will_set(self._topic("NDEATH"), sp.payload(self._bd(), at_ms=now_ms()), 1)
        self.client.on_message = self._on_message
        self.subscribed = threading.Event()
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(PATIENCE_S)

    def _topic(self, kind: str) -> str:
        device = "/CHEM-001" if kind.startswith("D") else ""
        return f"spBv1.0/S001/{kind}/{self.name}{device}"

    def _bd(self) -> bytes:
        return sp.metric("bdSeq", self.bd, sp.INT64)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe([(f"spBv1.0/S001/NCMD/{self.name}", 1), ("spBv1.0/STATE/+", 1)])

    def _on_message(self, _client: Client, _data: Any, message: Any) -> None:
        if message.topic.startswith("spBv1.0/STATE/"):
            self.hosts.append(json.loads(message.payload))
        elif b"Node Control/Rebirth" in message.payload:
            self.rebirths += 1
            self.birth()

    def publish(self, kind: str, *metrics: bytes) -> None:
        data = sp.payload(*metrics, at_ms=now_ms(), seq=self.seq % 256)
        self.seq += 1
        self.client.publish(self._topic(kind), data, qos=1)

    def birth(self) -> None:
        with self._lock:
            self.seq = 0
            self.publish("NBIRTH", self._bd())
            self.publish("DBIRTH", sp.metric("wash_vacuum", -70.0, alias=VACUUM, unit="kPa"))

    def data(self, value: float, at_ms: int | None = None, **how: Any) -> None:
        one = sp.metric(alias=VACUUM, value=value, at_ms=at_ms, typed=False, **how)
        with self._lock:
            self.publish("DDATA", one)

    def vanish(self) -> None:
        """Break the connection without a word, so that the broker publishes the will."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def stored(stores: Stores) -> list[float]:
    at = now_ms()
    series = stores.telemetry.raw("CHEM-001", at - 10**7, at + 10**7).get("wash_vacuum")
    return [] if series is None else series.values.tolist()


def states(stores: Stores) -> list[str]:
    notes = stores.telemetry.notes("CHEM-001", 0, now_ms() + 10**7, ("state",))
    return [note.body["state"] for note in notes]


def spoken(connect: Callable[[int], Gateway], stores: Stores) -> Gateway:
    """Let a gateway be told to be born, say something, and say history."""
    gateway = connect(3)
    until(lambda: gateway.rebirths or gateway.data(-1.0))
    until(lambda: stored(stores) == [-70.0])
    for n in range(20):
        gateway.data(-71.0 - n, at_ms=now_ms() - 10**6 + n)
    gateway.data(-51.0, at_ms=now_ms() - 5 * 10**6, historical=True)
    until(lambda: len(stored(stores)) == 22)
    assert stored(stores)[:2] == [-51.0, -71.0]
    assert states(stores)[-1] == "online"
    return gateway


def assert_it_is_missed(
    gateway: Gateway, connect: Callable[[int], Gateway], stores: Stores
) -> None:
    """Let the gateway vanish and come back."""
    gateway.vanish()
    until(lambda: states(stores)[-1] == "offline")
    late = connect(4)
    late.birth()
    until(lambda: states(stores)[-1] == "online")
    with stores.records.read() as work:
        assert {one.reason for one in work.shelf(Quarantined).find()} == {"unborn"}
    late.close()


def rows_of_a_gateway() -> str:
    """Return the rows that the shipped file shows in a comment."""
    shown = (SHIPPED / "acl").read_text().partition("like these:\n")[2]
    return "".join(f"{row.lstrip('# ')}\n" for row in shown.splitlines())


@pytest.mark.mosquitto
def test_over_a_real_broker(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    users = {"fieldcare": "collects", "S001/GW-1": "speaks"}
    with mosquitto(tmp_path / "broker", **users) as server:
        server.stop()
        with (tmp_path / "broker" / "acl").open("a") as acl:
            acl.write(rows_of_a_gateway())
        server.start()

        def connect(bd: int) -> Gateway:
            return Gateway(server.port, "S001/GW-1", "speaks", bd)

        conf = load(data=tmp_path / "data", broker=server.url("fieldcare"), plan_limit_s=0.3)
        with fieldcare(conf) as (stores, _):
            assert_it_is_missed(spoken(connect, stores), connect, stores)


def test_at_our_own_endpoint(tmp_path: Path) -> None:
    with fieldcare(load(data=tmp_path, mqtt_port=0, plan_limit_s=0.3)) as (stores, collecting):
        password = issue(stores.records, "S001/GW-1", BY)

        def connect(bd: int) -> Gateway:
            return Gateway(collecting.port, "S001/GW-1", password, bd)

        gateway = spoken(connect, stores)
        until(lambda: gateway.hosts)
        assert gateway.hosts[0]["online"] is True
        assert_it_is_missed(gateway, connect, stores)


@contextmanager
def other_gateway(port: int, password: str) -> Iterator[Gateway]:
    gateway = Gateway(port, "S002/GW-1", password)
    try:
        yield gateway
    finally:
        gateway.close()


def test_a_gateway_of_another_site_is_put_aside(tmp_path: Path) -> None:
    with fieldcare(load(data=tmp_path, mqtt_port=0, plan_limit_s=0.3)) as (stores, collecting):
        password = issue(stores.records, "S002/GW-1", BY)
        with other_gateway(collecting.port, password) as gateway:
            gateway.birth()

            def reasons() -> set[str]:
                with stores.records.read() as work:
                    return {one.reason for one in work.shelf(Quarantined).find()}

            until(reasons)
            time.sleep(0.2)
            assert reasons() == {"foreign_topic"}
            assert stored(stores) == []

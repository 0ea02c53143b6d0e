"""What clients of either MQTT version observe; part of ``tests.collector.probe``."""

import time
from typing import Any

from collector import packets
from tests.collector.given_endpoint import RawClient
from tests.collector.probe_clients import (
    DESK,
    V5,
    Paho,
    Server,
    brief,
    desk_of,
    fenced,
    topic,
)

# -- messages


def messages_come_in_order(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    desk.subscribe(f"fc/v1/+/{d}/tele")
    answers = [device.publish(topic(d, "tele"), b"%d" % n) for n in range(50)]
    heard = [one.payload for one in desk.hears(50)]
    device.close()
    desk.close()
    return answers == [[0]] * 50, heard == [b"%d" % n for n in range(50)]


def the_lower_qos_holds(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    granted = [desk.subscribe(topic(d, f"low{qos}"), qos) for qos in (0, 1)]
    for qos in (0, 1, 2):
        for wanted in (0, 1):
            device.publish(topic(d, f"low{wanted}"), b"%d" % qos, qos)
    heard = [(one.topic[-1], one.payload, one.qos) for one in desk.hears(6)]
    device.close()
    desk.close()
    return granted, sorted(heard)


def qos_2_is_granted(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    granted = desk.subscribe(topic(d, "#"), 2)
    desk.publish(topic(d, "tele"), b"x", 2)
    heard = brief(desk.hears(1))
    desk.close()
    return granted, heard


def overlapping_filters_deliver(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    for wanted in (topic(d, "#"), topic(d, "tele"), f"fc/v1/+/{d}/tele"):
        desk.subscribe(wanted)
    desk.publish(topic(d, "tele"), b"x")
    heard = brief(fenced(desk, d))
    desk.close()
    return heard


def a_foreign_topic_is_refused(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    desk.subscribe(f"fc/v1/+/not-{d}/#")
    desk.subscribe(topic(d, "tele"))
    answer = device.publish(topic(f"not-{d}", "tele"), b"x")
    own = device.publish(topic(d, "tele"), b"own")
    heard = brief(fenced(desk, d))
    device.close()
    desk.close()
    return answer, own, heard


def a_foreign_subscription(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    answers = [
        device.subscribe(wanted) for wanted in (f"fc/v1/S1/not-{d}/#", topic(f"not-{d}", "cmd"))
    ]
    own = device.subscribe(topic(d, "cmd"))
    desk.publish(topic(f"not-{d}", "cmd"), b"not yours")
    desk.publish(topic(d, "cmd"), b"yours")
    heard = {one.payload for one in device.hears(1)}
    device.close()
    desk.close()
    return answers, own, heard


def a_message_nobody_waits_for(server: Server, d: str, version: str) -> Any:
    device = Paho(server, d, version)
    answer = device.publish(topic(d, "tele"), b"x")
    device.close()
    return answer


def unsubscribing(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "tele"))
    answers = [desk.unsubscribe(topic(d, kind)) for kind in ("tele", "never")]
    desk.publish(topic(d, "tele"), b"x")
    heard = fenced(desk, d)
    desk.close()
    return answers if version == V5 else None, heard


def what_is_too_large(server: Server, d: str, version: str) -> Any:
    device = Paho(server, d, version)
    device.client.publish(topic(d, "tele"), b"x" * (1 << 20), 1)
    device.ends()
    return "let go"


# -- sessions


def a_session_waits(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version, clean=False)
    first = device.welcome
    device.subscribe(topic(d, "cmd"))
    device.close()
    for payload in (b"1", b"2"):
        desk.publish(topic(d, "cmd"), payload)
    device = Paho(server, d, version, clean=False)
    again, heard = device.welcome, brief(device.hears(2))
    device.close()
    device = Paho(server, d, version)
    clean = device.welcome
    device.close()
    desk.close()
    return first, again, heard, clean


def what_was_not_acknowledged_comes_again(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    device = Paho(server, d, version, clean=False, manual=True)
    device.subscribe(topic(d, "cmd"))
    for payload in (b"1", b"2"):
        desk.publish(topic(d, "cmd"), payload)
    device.hears(2)
    device.acknowledge(0)
    device.vanish()
    device = Paho(server, d, version, clean=False)
    heard = [(one.payload, one.again) for one in device.hears(1)]
    device.close()
    desk.close()
    return heard


def a_second_connection_takes_over(server: Server, d: str, version: str) -> Any:
    first = Paho(server, d, version)
    second = Paho(server, d, version)
    reason = first.ends()
    stays = second.subscribe(topic(d, "cmd"))
    second.close()
    return reason, stays


def a_restart(server: Server, d: str, version: str) -> Any:
    """What a client is told, and what is there afterwards."""
    desk, device = desk_of(server, d, version), Paho(server, d, version, clean=False)
    device.subscribe(topic(d, "cmd"))
    device.close()
    desk.publish(topic(d, "cmd"), b"waits")
    desk.publish(topic(d, "state"), b"stays", retain=True)
    server.restart()
    reason = desk.ends()
    device = Paho(server, d, version, clean=False)
    present, heard = device.welcome, brief(device.hears(1))
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "state"))
    retained = brief(desk.hears(1))
    device.close()
    desk.close()
    return reason, present, heard, retained


# -- retained messages and wills


def the_last_word_is_told(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    device.publish(topic(d, "state"), b"1", retain=True)
    device.publish(topic(d, "state"), b"2", retain=True)
    desk.subscribe(f"fc/v1/+/{d}/state")
    desk.hears(1)
    device.publish(topic(d, "state"), b"3", retain=True)
    desk.hears(2)
    device.publish(topic(d, "state"), b"", retain=True)
    desk.hears(3)
    late = Paho(server, DESK, version, name=f"late-{d}")
    late.subscribe(f"fc/v1/+/{d}/state")
    heard = brief(desk.heard), brief(fenced(late, d))
    for client in (desk, device, late):
        client.close()
    return heard


def wills(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "state"))
    said: list[Any] = []
    for part in (Paho.vanish, Paho.close):
        device = Paho(server, d, version, will=(topic(d, "state"), b"offline"))
        part(device)
        Paho(server, d, version, clean=True).close()
        said.append(len(desk.hears(1)))
    heard = brief(fenced(desk, d))
    late = Paho(server, DESK, version, name=f"late-{d}")
    late.subscribe(topic(d, "state"))
    retained = brief(late.hears(1))
    late.publish(topic(d, "state"), b"", retain=True)
    late.close()
    desk.close()
    return heard, retained


def a_will_at_a_take_over(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "state"))
    first = Paho(server, d, version, will=(topic(d, "state"), b"offline"))
    second = Paho(server, d, version)
    first.ends()
    second.publish(topic(d, "tele"), b"x")
    heard = brief(fenced(desk, d))
    second.close()
    desk.close()
    return heard


# -- who may come


def a_wrong_password(server: Server, d: str, version: str) -> Any:
    device = Paho(server, d, version, password="wrong")
    device.client.loop_stop()
    return device.welcome


def silence(server: Server, d: str, version: str) -> Any:
    """A client that says nothing for twice its keep-alive is let go; one that pings stays."""
    number = packets.V5 if version == V5 else packets.V311
    silent, pinging = RawClient(server.port, number), RawClient(server.port, number)
    for raw, name in ((silent, f"{d}-s"), (pinging, f"{d}-p")):
        raw.send(packets.Connect(name, number, True, 1, d, b"pw"))
        raw.expect(packets.Connack)
    pinging.socket.settimeout(0.3)
    pongs, until = 0, time.monotonic() + 3
    while time.monotonic() < until:
        pinging.send(packets.Ping())
        pongs += isinstance(pinging.receive(), packets.Ping)
        time.sleep(0.3)
    last = silent.receive()
    while last is not None and (packet := silent.receive()) is not None:
        last = packet
    told = last.reason if isinstance(last, packets.Disconnect) else None
    silent.close()
    pinging.close()
    return told, pongs > 5


def nonsense(server: Server, d: str, version: str) -> Any:
    """What breaks the standard ends the connection; only MQTT 5 is told why."""
    number = packets.V5 if version == V5 else packets.V311
    told = []
    for sent in (
        b"\x36\x0e\x00\x08fc/v1/xx\x00\x01xx",  # QoS 3
        b"\x32\x0c\x00\x08fc/v1/xx\x00\x00",  # packet identifier 0
        b"\x80\x06\x00\x01\x00\x01a\x00",  # wrong flags
        b"\x30\x0a\x00\x08fc/v1/+x",  # a wildcard
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",  # a second CONNECT
        b"\x00\x00",
    ):
        raw = RawClient(server.port, number)
        raw.send(packets.Connect(d, number, True, 60, d, b"pw"))
        raw.expect(packets.Connack)
        raw.socket.sendall(sent)
        answer = raw.receive()
        told.append(answer.reason if isinstance(answer, packets.Disconnect) else answer)
        raw.close()
    return told

"""What clients of MQTT 5 observe; part of ``tests.collector.probe``."""

import time
from typing import Any

from collector import packets
from tests.collector.given_endpoint import RawClient
from tests.collector.probe_clients import (
    Paho,
    Server,
    brief,
    desk_of,
    fenced,
    topic,
)


def properties_are_passed_on(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    device.subscribe(topic(d, "cmd"))
    desk.publish(
        topic(d, "cmd"),
        b"{}",
        ResponseTopic=topic(d, "ack"),
        CorrelationData=b"\x00\x01",
        ContentType="application/json",
        PayloadFormatIndicator=1,
        MessageExpiryInterval=100,
        UserProperty=[("a", "1"), ("b", "2"), ("a", "3")],
    )
    heard = device.hears(1)[0].properties
    heard["MessageExpiryInterval"] = 90 < heard["MessageExpiryInterval"] <= 100
    device.close()
    desk.close()
    return heard


def a_topic_by_its_number(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    desk.subscribe(topic(d, "tele"))
    device.publish(topic(d, "tele"), b"1", TopicAlias=1)
    heard = [(one.topic, one.payload, one.properties) for one in desk.hears(1)]
    device.client.publish(topic(d, "tele"), b"2", 1)
    desk.hears(2)
    raw = RawClient(server.port, packets.V5)
    raw.send(packets.Connect(f"{d}-raw", packets.V5, username=d, password=b"pw"))
    raw.expect(packets.Connack)
    raw.send(
        packets.Publish(topic(d, "tele"), b"3", 1, 1, properties={0x23: 2}),
        packets.Publish("", b"4", 1, 2, properties={0x23: 2}),
    )
    told: list[Any] = [raw.receive(), raw.receive()]
    raw.send(packets.Publish("", b"5", 1, 3, properties={0x23: 99}))
    told.append(raw.receive())
    raw.close()
    heard += [(one.topic, one.payload, one.properties) for one in desk.hears(4)[1:]]
    device.close()
    desk.close()
    return [packet.reason for packet in told], heard


def subscriptions_with_ids(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "tele"), id=5)
    desk.publish(topic(d, "tele"), b"x")
    heard = [one.properties for one in desk.hears(1)]
    desk.close()
    return heard


def own_messages(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version)
    desk.subscribe(topic(d, "tele"), noLocal=True)
    desk.publish(topic(d, "tele"), b"own")
    device.publish(topic(d, "tele"), b"other")
    heard = brief(fenced(desk, d))
    device.close()
    desk.close()
    return heard


def retained_as_asked(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.publish(topic(d, "state"), b"1", retain=True)
    told = []
    for handling in (0, 0, 1, 2):
        before = len(desk.heard)
        desk.subscribe(topic(d, "state"), retainHandling=handling)
        desk.publish(topic(d, "state"), b"%d" % handling)
        desk.wait(lambda wanted=b"%d" % handling: desk.heard and desk.heard[-1].payload == wanted)
        told.append(brief(desk.heard[before:]))
    desk.unsubscribe(topic(d, "state"))
    desk.subscribe(topic(d, "state"), retainHandling=2, retainAsPublished=True)
    desk.publish(topic(d, "state"), b"kept", retain=True)
    desk.wait(lambda: desk.heard[-1].payload == b"kept")
    told.append(brief(desk.heard[-1:]))
    desk.publish(topic(d, "state"), b"", retain=True)
    desk.close()
    return told


def what_expired_is_not_delivered(server: Server, d: str, version: str) -> Any:
    desk, device = desk_of(server, d, version), Paho(server, d, version, clean=False)
    device.subscribe(topic(d, "cmd"))
    device.close()
    desk.publish(topic(d, "cmd"), b"old", MessageExpiryInterval=1)
    desk.publish(topic(d, "cmd"), b"new")
    desk.publish(topic(d, "state"), b"old", retain=True, MessageExpiryInterval=1)
    time.sleep(2.5)
    device = Paho(server, d, version, clean=False)
    heard = [one.payload for one in device.hears(1)]
    desk.subscribe(topic(d, "state"))
    retained = fenced(desk, d)
    device.close()
    desk.close()
    return heard, retained


def the_end_of_a_session(server: Server, d: str, version: str) -> Any:
    present = []
    for asked, parting in ((600, None), (600, 0), (600, 1), (0, None), (600, None)):
        device = Paho(server, d, version, clean=False, expiry_s=asked)
        present.append(device.welcome)
        device.close(**({} if parting is None else {"SessionExpiryInterval": parting}))
        time.sleep(3 if parting == 1 else 0)
    Paho(server, d, version).close()
    return present


def put_off_wills(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "state"))
    for delay_s, back in ((2, True), (1, False)):
        will = (topic(d, "state"), b"after %d" % delay_s, {"WillDelayInterval": delay_s})
        Paho(server, d, version, clean=False, will=will).vanish()
        if back:
            Paho(server, d, version, clean=False).close()
    heard = brief(desk.hears(1))
    desk.publish(topic(d, "state"), b"", retain=True)
    desk.close()
    return heard


def a_goodbye_with_the_will(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    desk.subscribe(topic(d, "state"))
    Paho(server, d, version, will=(topic(d, "state"), b"offline")).close(4)
    heard = brief(desk.hears(1))
    desk.publish(topic(d, "state"), b"", retain=True)
    desk.close()
    return heard


def no_more_than_it_takes(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    device = Paho(server, d, version, properties={"ReceiveMaximum": 2}, manual=True)
    device.subscribe(topic(d, "cmd"))
    for number in range(4):
        desk.publish(topic(d, "cmd"), b"%d" % number)
    device.hears(2)
    time.sleep(0.3)
    first = [one.payload for one in device.heard]
    device.acknowledge(0)
    device.acknowledge(1)
    heard = [one.payload for one in device.hears(4)]
    device.close()
    desk.close()
    return first, heard


def nothing_larger_than_it_takes(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    device = Paho(server, d, version, properties={"MaximumPacketSize": 200})
    device.subscribe(topic(d, "cmd"))
    desk.publish(topic(d, "cmd"), b"x" * 300)
    desk.publish(topic(d, "cmd"), b"y")
    heard = [one.payload for one in device.hears(1)]
    device.close()
    desk.close()
    return heard


def the_welcome(server: Server, d: str, version: str) -> Any:
    """What differs from the standard's defaults, with an empty client id and no keep-alive."""
    device = Paho(server, d, version, name="", keep_alive_s=0, expiry_s=0xFFFFFFFF)
    offered = device.offered
    offered["AssignedClientIdentifier"] = bool(offered.get("AssignedClientIdentifier"))
    offered["ReceiveMaximum"] = offered["ReceiveMaximum"] >= 1000
    device.close()
    return offered


def other_authentication(server: Server, d: str, version: str) -> Any:
    device = Paho(server, d, version, properties={"AuthenticationMethod": "X"})
    device.client.loop_stop()
    return device.welcome


def shared_subscriptions(server: Server, d: str, version: str) -> Any:
    desk = desk_of(server, d, version)
    answer = desk.subscribe(f"$share/g/{topic(d, 'tele')}")
    desk.close()
    return answer

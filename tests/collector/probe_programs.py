"""What programs and libraries that others wrote observe; part of ``tests.collector.probe``."""

import asyncio
import socket
import subprocess
from typing import Any

import aiomqtt

from tests.collector.given_endpoint import PATIENCE_S
from tests.collector.probe_clients import (
    DESK,
    V5,
    Server,
    command,
    run,
    topic,
)


def mosquitto_pub_and_sub(server: Server, d: str, version: str) -> Any:
    keep = ["-x", "600"] if version == V5 else []
    session = ["-i", f"w-{d}", "-c", *keep, "-q", "1", "-t", topic(d, "#")]
    subscribed = run(command("mosquitto_sub", server, DESK, version, *session, "-E"))
    sent = command("mosquitto_pub", server, d, version, "-q", "1", "-t", topic(d, "tele"), "-l")
    published = run(sent, input=b"1\n2\n3\n")
    wait = ["-C", "3", "-W", "20", "-F", "%p %q %r"]
    heard = run(command("mosquitto_sub", server, DESK, version, *session, *wait))
    run(command("mosquitto_sub", server, DESK, version, "-i", f"w-{d}", "-q", "1", "-t", "x", "-E"))
    return subscribed, published, heard


def mosquitto_rr_gets_its_answer(server: Server, d: str, version: str) -> Any:
    """A request with a response topic and correlation data, answered by aiomqtt."""

    async def answer() -> None:
        async with aiomqtt.Client(
            "127.0.0.1",
            server.port,
            username=d,
            password="pw",
            identifier=d,
            protocol=aiomqtt.ProtocolVersion.V5,
        ) as device:
            await device.subscribe(topic(d, "cmd"), qos=1)
            arguments = ["-t", topic(d, "cmd"), "-e", topic(d, "ack"), "-m", "?", "-q", "1"]
            asking = subprocess.Popen(
                command("mosquitto_rr", server, DESK, version, *arguments, "-W", "20"),
                stdout=subprocess.PIPE,
            )
            asked = await anext(aiter(device.messages))
            assert asked.properties is not None
            await device.publish(str(asked.properties.ResponseTopic), asked.payload + b"!", qos=1)
            said, _ = await asyncio.to_thread(asking.communicate)
            result.append((asking.returncode, said))

    result: list[Any] = []
    asyncio.run(asyncio.wait_for(answer(), PATIENCE_S))
    return result


def aiomqtt_publishes_and_hears(server: Server, d: str, version: str) -> Any:
    protocol = aiomqtt.ProtocolVersion.V5 if version == V5 else aiomqtt.ProtocolVersion.V311

    async def story() -> Any:
        async with aiomqtt.Client(
            "127.0.0.1",
            server.port,
            username=DESK,
            password="pw",
            identifier=f"aio-{d}",
            protocol=protocol,
        ) as client:
            await client.subscribe(f"fc/v1/+/{d}/#", qos=1)
            await client.publish(topic(d, "tele"), "hello", qos=1)
            message = await anext(aiter(client.messages))
            return str(message.topic), message.payload, message.qos

    return asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def mosquitto_pub_with_a_wrong_password(server: Server, d: str, version: str) -> Any:
    sent = ["-P", "wrong", "-t", topic(d, "tele"), "-m", "x"]
    return run(command("mosquitto_pub", server, d, version, *sent))[0]


def a_plain_http_request(server: Server, _d: str, _version: str) -> Any:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            return raw.recv(100)
        except ConnectionResetError:
            return b""

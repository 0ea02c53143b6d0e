import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from equipment.wire import Ack, Birth, State, Tele, address, decode
from simulators import hospital
from simulators.command import Wish, run
from simulators.fleet import Pace, Progress, World, simulate
from simulators.script import Script
from tests.simulators.given_broker import Listener, client, door, mosquitto_for

START = datetime(2026, 3, 3, tzinfo=UTC)
pytestmark = pytest.mark.mosquitto


def world(devices, speed: float, **pace: float) -> World:
    loop = asyncio.get_running_loop()
    began = loop.time()
    return World(
        seed=1,
        script=Script(devices),
        now=lambda: START + timedelta(seconds=(loop.time() - began) * speed),
        password=lambda device: f"secret-{device}",
        pace=Pace(speed, **pace),
    )


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)


async def heard_all(listener: Listener, progress: Progress) -> None:
    await until(lambda: len(set(listener.heard)) >= progress.wire.acked)


def test_a_thousand_devices_speak_from_one_process_and_everything_is_confirmed(tmp_path):
    devices = hospital.region(1, devices=1000).devices

    async def story(where):
        stop, progress = asyncio.Event(), Progress()
        async with Listener(where) as listener, asyncio.timeout(60):
            life = world(devices, 300, thin_s=60)
            fleet = asyncio.create_task(simulate(where, devices, life, stop, progress=progress))
            wire = progress.wire
            await until(lambda: (wire.connected >= 1000 and wire.acked >= 4000) or fleet.done())
            stop.set()
            await fleet
            await heard_all(listener, progress)
        return progress, listener.heard

    with mosquitto_for(tmp_path, [device.id for device in devices]) as server:
        progress, heard = asyncio.run(story(door(server)))
    wire = progress.wire
    assert (wire.connected, wire.refused, wire.resent) == (1000, 0, 0)
    assert wire.published == wire.acked == len(heard)
    kinds = defaultdict(set)
    for topic, payload in heard:
        where = address(topic)
        decode(where.kind, payload)
        kinds[where.kind].add(where.device)
    everybody = {device.id for device in devices}
    assert kinds["birth"] == kinds["state"] == everybody
    assert kinds["tele"]


def test_a_stop_while_devices_still_connect_ends_the_fleet_at_once(tmp_path):
    devices = hospital.region(1, devices=200).devices

    async def story(where):
        stop, progress = asyncio.Event(), Progress()
        async with asyncio.timeout(30):
            life = world(devices, 300, thin_s=60)
            fleet = asyncio.create_task(simulate(where, devices, life, stop, progress=progress))
            await until(lambda: progress.wire.connected >= 40 or fleet.done())
            stop.set()
            await fleet
        return progress.wire

    with mosquitto_for(tmp_path, [device.id for device in devices]) as server:
        wire = asyncio.run(story(door(server)))
    assert wire.published == wire.acked


def test_no_message_is_missing_after_the_broker_was_away(tmp_path):
    devices = hospital.region(1, devices=12).devices

    async def story(where):
        stop, progress = asyncio.Event(), Progress()
        async with Listener(where) as listener, asyncio.timeout(60):
            life = world(devices, 3600, quiet_s=0.02, thin_s=60)
            fleet = asyncio.create_task(simulate(where, devices, life, stop, progress=progress))
            await until(lambda: progress.wire.acked >= 100)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await until(lambda: progress.wire.connected >= 24 and progress.wire.acked >= 400)
            stop.set()
            await fleet
            await heard_all(listener, progress)
        return progress, listener.heard

    with mosquitto_for(tmp_path, [device.id for device in devices]) as server:
        progress, heard = asyncio.run(story(door(server)))
    assert progress.wire.published == progress.wire.acked
    numbers = defaultdict(set)
    for topic, payload in heard:
        message = decode(address(topic).kind, payload)
        if not isinstance(message, Birth | State):
            numbers[topic.split("/")[3]].add(message.s)
    assert len(numbers) == 12
    assert all(max(seen) == len(seen) for seen in numbers.values())


def test_a_device_says_who_it_is_obeys_and_says_goodbye(tmp_path):
    device = hospital.region(1, devices=1).devices[0]
    own = f"fc/v1/{device.site}/{device.id}"

    async def story(where):
        stop = asyncio.Event()
        async with Listener(where) as listener, asyncio.timeout(30):
            life = world([device], 60, quiet_s=0.05)
            fleet = asyncio.create_task(simulate(where, [device], life, stop))
            await until(lambda: any(topic.endswith("tele") for topic, _ in listener.heard))
            await listener.client.publish(f"{own}/cmd", b'{"id":"7","do":"rebirth"}')
            await listener.client.publish(f"{own}/cmd", b"nonsense")
            await until(lambda: any(topic.endswith("ack") for topic, _ in listener.heard))
            stop.set()
            await fleet
        async with Listener(where, f"{own}/state") as late:
            await until(lambda: bool(late.heard))
        return listener.heard, late.heard

    with mosquitto_for(tmp_path, [device.id]) as server:
        heard, late = asyncio.run(story(door(server)))
    said = [(kind, decode(kind, payload)) for topic, payload in heard
            if (kind := topic.rsplit("/", 1)[1]) != "cmd"]  # fmt: skip
    births = [message for _, message in said if isinstance(message, Birth)]
    assert [birth.model for birth in births] == [device.model] * 2
    assert [m for _, m in said if isinstance(m, Ack)] == [Ack("7", ok=True)]
    assert [m.state for _, m in said if isinstance(m, State)] == ["online", "offline"]
    assert any(isinstance(message, Tele) for _, message in said)
    assert [json.loads(payload)["state"] for _, payload in late] == ["offline"]


def test_a_second_run_goes_on_where_the_first_stopped_without_a_gap(tmp_path):
    device = hospital.region(1, devices=1).devices[0]

    async def story(where):
        progress, since = Progress(), START
        async with Listener(where) as listener, asyncio.timeout(30):
            life = world([device], 3600, quiet_s=0.1, thin_s=60)
            for _ in range(2):
                stop = asyncio.Event()
                asyncio.get_running_loop().call_later(0.35, stop.set)
                await simulate(where, [device], life, stop, since=since, progress=progress)
                since = progress.said_until
            await heard_all(listener, progress)
        return rows(listener.heard)

    with mosquitto_for(tmp_path, [device.id]) as server:
        instants = asyncio.run(story(door(server)))
    assert {later - earlier for earlier, later in pairwise(instants)} == {60_000}


def rows(heard: list[tuple[str, bytes]]) -> list[int]:
    tele = [decode("tele", payload) for topic, payload in heard if topic.endswith("/tele")]
    return [at for one in tele for at in ([one.t] if one.r is None else [row[0] for row in one.r])]


def test_the_will_tells_of_a_device_that_lost_its_line(tmp_path):
    async def story(where):
        async with Listener(where) as listener, asyncio.timeout(30):
            device = client(where, "A")
            running = asyncio.create_task(device.run())
            await device.connected.wait()
            running.cancel()
            device.cut()
            await until(lambda: bool(listener.heard))
        return listener.heard

    with mosquitto_for(tmp_path, ["A"]) as server:
        assert asyncio.run(story(door(server))) == [("fc/v1/S001/A/state", b'{"state":"offline"}')]


def test_a_wrong_password_is_counted_and_disturbs_nobody_else(tmp_path):
    devices = hospital.region(1, devices=3).devices

    async def story(where):
        stop, progress = asyncio.Event(), Progress()
        async with asyncio.timeout(30):
            life = world(devices, 60, quiet_s=0.05)
            fleet = asyncio.create_task(simulate(where, devices, life, stop, progress=progress))
            await until(lambda: progress.wire.acked > 20 and progress.wire.refused > 1)
            stop.set()
            await fleet
        return progress.wire

    with mosquitto_for(tmp_path, [device.id for device in devices[1:]]) as server:
        wire = asyncio.run(story(door(server)))
    assert wire.connected == 2
    assert wire.published == wire.acked


def test_the_command_simulates_a_region_for_a_while_and_leaves_the_labels(tmp_path):
    names = [device.id for device in hospital.region(1, devices=6).devices]
    labels = tmp_path / "labels.jsonl"
    wish = Wish(START, devices=6, sites=3, speed=3600, duration_s=2, often=10, labels=labels)
    reported = []
    with mosquitto_for(tmp_path, names) as server:
        progress = asyncio.run(
            run(
                f"mqtt://127.0.0.1:{server.port}",
                wish,
                lambda device: f"secret-{device}",
                lambda done, now: reported.append(now),
            )
        )
    assert progress.devices == 6
    assert progress.values > 0
    assert progress.wire.published == progress.wire.acked
    assert reported[0] >= START
    truths = [json.loads(line) for line in labels.read_text().splitlines()]
    assert truths
    assert {truth["device"] for truth in truths} <= set(names)

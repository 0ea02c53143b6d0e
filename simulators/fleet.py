"""Many devices at once over real MQTT connections, in event time, from one process."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from equipment.device import Device
from equipment.wire import Ack, Command, encode
from simulators.client import Client, Counts, Door, Identity, Limits, Sleep
from simulators.instants import at_of, ms_of
from simulators.sayings import Said, Speaker
from simulators.script import Script

log = logging.getLogger(__name__)

_CONNECTING_AT_ONCE = 32
_SPAN_MS = 6 * 3_600_000
_COMMANDS = msgspec.json.Decoder(Command)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast event time runs, and how often a device may speak.

    ``speed`` is event seconds per wall second; ``quiet_s`` the shortest wall time between two
    messages of readings; with ``thin_s`` a metric is sampled at most that often in event time.
    """

    speed: float = 1.0
    quiet_s: float = 1.0
    thin_s: float = 0.0


@dataclass(frozen=True, slots=True)
class World:
    """What the simulated devices live in: their clock, their faults, their secrets."""

    seed: int
    script: Script
    now: Callable[[], datetime]
    password: Callable[[str], str]
    sleep: Sleep = asyncio.sleep
    pace: Pace = Pace()
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Progress:
    """What the fleet did so far. ``values`` counts readings handed to the connections.

    ``said_ms`` is how far each device has come in event time.
    """

    devices: int = 0
    values: int = 0
    wire: Counts = field(default_factory=Counts)
    said_ms: dict[str, int] = field(default_factory=dict)

    @property
    def said_until(self) -> datetime | None:
        """The instant from which a later run leaves nothing out: its ``since``."""
        return at_of(min(self.said_ms.values())) if self.said_ms else None


async def simulate(
    door: Door,
    devices: Iterable[Device],
    world: World,
    stop: asyncio.Event,
    *,
    progress: Progress | None = None,
    since: datetime | None = None,
    farewell_s: float = 5.0,
) -> Progress:
    """Let ``devices`` live at the broker ``door`` until ``stop``, then say goodbye.

    They speak from ``since`` (or now) on; what is older than now is caught up first. At the end
    every device says all that was due, and waits up to ``farewell_s`` for its acknowledgements.
    Returns what was done; ``said_until`` of it is where the next run goes on.
    """
    done = progress or Progress()
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    shared = _Shared(done, gate, ms_of(since or world.now()), secrets.token_hex(4))
    lives = [_Life(door, device, world, shared) for device in devices]
    done.devices = len(lives)
    tasks = [asyncio.create_task(life.live()) for life in lives]
    tasks += [asyncio.create_task(life.client.run()) for life in lives]
    watch = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([watch, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if not watch.done():
            _raise_first(tasks)
    finally:
        watch.cancel()
        await _farewell(lives, tasks, farewell_s)
    return done


def _raise_first(tasks: Iterable["asyncio.Task[None]"]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _farewell(
    lives: list["_Life"], tasks: list["asyncio.Task[None]"], within_s: float
) -> None:
    living, connecting = tasks[: len(lives)], tasks[len(lives) :]
    await _ended(living)
    await asyncio.gather(*(life.say_goodbye(within_s) for life in lives))
    await _ended(connecting)


async def _ended(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Shared(NamedTuple):
    """What all devices of a fleet have in common."""

    done: Progress
    gate: asyncio.Semaphore
    start_ms: int
    boot: str


class _Life:
    """One device: it speaks when something is due, and answers when asked."""

    def __init__(self, door: Door, device: Device, world: World, shared: "_Shared") -> None:
        self._world = world
        self._done = shared.done
        self._done.said_ms[device.id] = shared.start_ms
        self._boot_ms = ms_of(world.now())
        self.speaker = Speaker(world.seed, device, shared.boot, thin_s=world.pace.thin_s)
        will = self.speaker.state("offline", 0)
        self.client = Client(
            door,
            Identity(device.id, world.password(device.id), will.topic, encode(will.message)),
            listen_to=self.speaker.topic("cmd"),
            on_message=self._on_message,
            limits=world.limits,
            counts=shared.done.wire,
            sleep=world.sleep,
            gate=shared.gate,
        )
        self._answers: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Introduce the device, then say whatever has become due."""
        await self.client.connected.wait()
        await self._say(self.speaker.birth(self._boot_ms))
        await self._say(self.speaker.state("online", self._now_ms()))
        pace = self._world.pace
        wait_s = max(pace.quiet_s, self.speaker.row_every_s / pace.speed)
        await self._world.sleep(wait_s * self.speaker.analyzer.luck("turn"))
        while True:
            await self._catch_up()
            await self._world.sleep(wait_s)

    async def _catch_up(self) -> None:
        """Say all that is due by now; a long time in several turns."""
        name = self.speaker.device.id
        episodes = partial(self._world.script.episodes, name)
        while (from_ms := self._done.said_ms[name]) < (now_ms := self._now_ms()):
            to_ms = min(now_ms, from_ms + _SPAN_MS)
            for said in self.speaker.readings(from_ms, to_ms, episodes()):
                await self._say(said)
                self._done.values += said.values
            for said in self.speaker.remarks(from_ms, to_ms, episodes()):
                await self._say(said)
            self._done.said_ms[name] = to_ms
            if to_ms == now_ms:
                return

    async def say_goodbye(self, within_s: float) -> None:
        """Say what is left to say and that the device goes offline; leave when it is heard."""
        if self.client.connected.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._last_words()
            await self.client.drained(within_s)
        self.client.leave()

    async def _last_words(self) -> None:
        await self._catch_up()
        await self._say(self.speaker.state("offline", self._now_ms()))

    def _now_ms(self) -> int:
        return ms_of(self._world.now())

    async def _say(self, said: Said) -> None:
        await self.client.publish(said.topic, encode(said.message), retain=said.retained)

    def _on_message(self, topic: str, payload: bytes) -> None:
        try:
            command = _COMMANDS.decode(payload)
        except msgspec.DecodeError as error:
            log.warning("command refused", extra={"topic": topic, "why": str(error)})
            return
        answer = asyncio.get_running_loop().create_task(self._answer(command))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _answer(self, command: Command) -> None:
        if command.do == "rebirth":
            await self._say(self.speaker.birth(self._boot_ms))
        await self._say(Said(self.speaker.topic("ack"), Ack(command.id, ok=True)))

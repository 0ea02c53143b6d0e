"""The demo: an invented region on a fast clock, in one process, on loopback.

The first start invents the region and three days of history; later starts continue where the
last one stopped. The simulated devices speak MQTT to the same endpoint that real ones would.
"""

import asyncio
import logging
import random
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec

from aftersales.access import Role
from aftersales.customer import Organization
from aftersales.team import Technician
from aftersales.user import User
from api.context import Demo, DemoLogin
from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.office import Office
from desk.signing import hashed
from equipment.credential import Credential, credential
from equipment.device import Device, Site
from equipment.wire import encode
from equipment.words import Words
from fieldcare.clock import SimulatedClock, wall_clock
from simulators import hospital
from simulators.client import Door
from simulators.crew import Crew
from simulators.faults import Episode
from simulators.fleet import Pace, Progress, World, simulate
from simulators.history import history
from simulators.modes import MODES
from simulators.script import Script
from storage.interface import Records

log = logging.getLogger(__name__)

SEED = 7
DEVICES, SITES, TECHNICIANS = 40, 12, 10
HISTORY = timedelta(days=3)
SHIFT_DAYS = 120
THIN_S = 60.0
SAVE_EVERY_S = 5.0
FIRST_H, EVERY_H = 2, 4
QUICK = timedelta(hours=24)
START_HOUR = 9
_BATCH = 200
LOGINS: tuple[tuple[str, Role, Words], ...] = (
    ("dispatcher", Role.DI, Words("调度员", "dispatcher")),
    ("desk", Role.HA, Words("服务台", "service desk")),
    ("engineer", Role.TC, Words("设备工程师", "equipment engineer")),
    ("manager", Role.AM, Words("售后经理", "after-sales manager")),
)
# What goes wrong first, so that the first minute has a story: device, mode, hours from the start
# to the first sign (negative: before), hours from there to failure.
OPENING: tuple[tuple[str, str, float, float], ...] = (
    ("CHEM-001", "C4", -3.2, 12.0),
    ("CHEM-005", "C7", -25.0, 30.0),
    ("ULTF-002", "F2", -0.4, 5.0),
    ("HEMA-001", "H4", -30.0, 40.0),
    ("CHEM-002", "C3", -37.0, 60.0),
)


class NotADemo(RuntimeError):
    """The folder holds something that no demo made; the text names it."""


class Kept(msgspec.Struct):
    """What a second start needs: when the story began, where it stopped, what was broken.

    ``said`` is how far the devices had come, ``ready`` whether the history is complete.
    """

    start: datetime
    now: datetime
    said: datetime
    password: str
    secret: str
    episodes: list[Episode]
    ready: bool = False


@dataclass(slots=True)
class Story:
    """The demo's own state: its clock, its faults, and the file both are kept in."""

    file: Path
    kept: Kept
    script: Script
    region: hospital.Region
    speed: float
    clock: Callable[[], datetime]
    progress: Progress = field(default_factory=Progress)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, records: Records) -> None:
        """Let the time run from where it stopped: the newest record knows after a kill."""
        with records.read() as work:
            newest = work.journal.after(work.journal.head() - 1)
        self.kept.now = max([self.kept.now, *(event.recorded_at for event in newest)])
        self.clock = SimulatedClock(self.kept.now, self.speed)

    def save(self) -> None:
        """Keep where the story is, atomically."""
        with self._lock:
            self.kept.now = self.clock()
            self.kept.said = self.progress.said_until or self.kept.said
            self.kept.episodes = list(self.script)
            fresh = self.file.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(self.kept))
            fresh.replace(self.file)

    def secret_of(self, device: str) -> str:
        """Return the password of a simulated device."""
        return f"{self.kept.secret}-{device}"

    def inject(self, device: str, mode: str) -> None:
        """Let ``mode`` show in ``device`` from now on, quickly enough to watch."""
        lead = min(timedelta(seconds=MODES[mode].lead_s[0]), QUICK)
        self.script.inject(device, mode, self.clock(), lead=lead)
        self.save()


def open_story(folder: Path, speed: float, *, fresh: bool) -> Story:
    """Return the story in ``folder``, a new one where there is none or ``fresh`` is wanted.

    Raises NotADemo rather than removing files that no demo made.
    """
    file = folder / "demo.json"
    if fresh and folder.exists():
        if not file.exists() and any(folder.iterdir()):
            raise NotADemo(f"{folder} is not a demo's folder (no demo.json in it): not removed")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    kept = _begun() if is_new else msgspec.json.decode(file.read_bytes(), type=Kept)
    days = [kept.now.date() + timedelta(days=n) for n in range(-2, SHIFT_DAYS)]
    region = hospital.region(SEED, DEVICES, SITES, TECHNICIANS, days)
    if is_new:
        kept.episodes = list(_script(region.devices, kept.start))
    script = Script(region.devices, kept.episodes)
    story = Story(file, kept, script, region, speed, clock=lambda: kept.now)
    story.save()
    return story


def _begun() -> Kept:
    """Return the beginning of a story: this morning, the region's time."""
    today: date = wall_clock().astimezone(hospital.ZONE).date()
    while today.weekday() > 3:  # a working day, so that the day after is one too
        today -= timedelta(days=1)
    start = datetime.combine(today, datetime.min.time(), hospital.ZONE).astimezone(UTC)
    start += timedelta(hours=START_HOUR)
    return Kept(start, start, start, secrets.token_hex(4), secrets.token_hex(12), [])


def _script(devices: Sequence[Device], start: datetime) -> Iterable[Episode]:
    """Return the opening, and then a quick fault every few hours in some device or other."""
    script = Script(devices)
    for device, mode, after_h, lead_h in OPENING:
        script.inject(device, mode, start + timedelta(hours=after_h), lead=timedelta(hours=lead_h))
    chance = random.Random(SEED)
    for onset_h in range(FIRST_H, SHIFT_DAYS * 24, EVERY_H):
        one = chance.choice(devices)
        wear = chance.choice([m for m in MODES.values() if m.model == one.model])
        lead = min(timedelta(seconds=wear.lead_s[0]), QUICK)
        script.inject(one.id, wear.id, start + timedelta(hours=onset_h), lead=lead)
    return script


def renew_shifts(records: Records, story: Story) -> None:
    """Put the technicians on duty for the months from now on."""
    with records.begin() as work:
        for technician in story.region.technicians:
            work.shelf(Technician).put(technician)


def seed(records: Records, story: Story) -> None:
    """Put the region, its people and their logins on record."""
    seed_region(records, story.region, story.secret_of)
    password = hashed(story.kept.password)
    with records.begin() as work:
        for login, role, title in LOGINS:
            work.shelf(User).put(User(login, title, role, password))


def seed_region(
    records: Records, region: hospital.Region, secret_of: Callable[[str], str] | None = None
) -> dict[str, str]:
    """Put an invented region on record; return the password of each device."""
    choose = secret_of or (lambda _device: secrets.token_urlsafe(12))
    known = {device.id: choose(device.id) for device in region.devices}
    with records.begin() as work:
        for kind, rows in (
            (Organization, region.customers),
            (Site, region.sites),
            (Device, region.devices),
            (Technician, region.technicians),
        ):
            for row in rows:
                work.shelf(kind).put(row)
        for device, secret in known.items():
            work.shelf(Credential).put(credential(device, secret, secrets.token_hex(8)))
    return known


def tell_history(story: Story, ingest: Ingest, tell: Callable[[int], None]) -> None:
    """Let the rules see the days before the story; ``tell`` hears how many devices are done."""
    start = story.kept.start
    devices = story.region.devices
    said = history(SEED, devices, story.script, start - HISTORY, start, thin_s=THIN_S)
    seen: set[str] = set()
    while some := list(islice(said, _BATCH)):
        arrivals = [Arrival(None, one.topic, encode(one.message)) for one in some]
        ingest.act(ingest.keep(arrivals))
        seen.update(one.topic.split("/")[3] for one in some)
        tell(len(seen))
    ingest.checkpoint()


def demo_doors(story: Story) -> Demo:
    """Return what the API of the demo shows beyond the product's."""
    models = {device.model for device in story.region.devices}
    modes = [(mode.id, mode.model, mode.title) for mode in MODES.values() if mode.model in models]
    logins = [DemoLogin(login, story.kept.password, role, title) for login, role, title in LOGINS]
    return Demo(logins, modes, story.inject)


class Fleet:
    """The simulated devices, on real connections, in a thread with a loop of its own."""

    def __init__(self, story: Story, port: int) -> None:
        self._story, self._port = story, port
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)

    def start(self) -> None:
        """Switch the devices on."""
        self._thread.start()

    def stop(self) -> None:
        """Let them say goodbye."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._story.save()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        except Exception:
            log.exception("the simulated devices stopped")
        finally:
            self._loop.close()

    async def _live(self) -> None:
        story = self._story
        pace = Pace(story.speed, thin_s=THIN_S)
        world = World(SEED, story.script, story.clock, story.secret_of, pace=pace)
        saving = asyncio.create_task(self._save_now_and_then())
        try:
            await simulate(
                Door("127.0.0.1", self._port),
                story.region.devices,
                world,
                self._stop,
                progress=story.progress,
                since=story.kept.said,
            )
        finally:
            saving.cancel()

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            self._story.save()


def crew(story: Story, office: Office) -> Crew:
    """Return the simulated technicians, whose repairs go into the story."""
    return Crew(office, story.script.repair)


def describe(story: Story, address: str) -> str:
    """Return what the terminal shows once everything runs."""
    logins = "\n".join(
        f"    {login:<12} {story.kept.password}   {title.zh} / {title.en}"
        for login, _, title in LOGINS
    )
    return (
        f"\n  fieldcare demo: {address}\n\n  Logins (演示账号):\n{logins}\n\n"
        f"  {DEVICES} simulated devices at {story.speed:g}x; Ctrl-C stops, a second start "
        "continues, FRESH=1 starts over.\n"
    )

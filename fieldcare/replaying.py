"""What feeds files: tables, exports and JSON lines go the way of live messages."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.committer import Committer
from collector.export import Export, load_export
from collector.mapping import BadMapping, Mapping, load
from collector.replay import Progress, is_export, replay
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.cli import Data, app, bar, console, end, settings
from fieldcare.clock import wall_clock
from fieldcare.logs import set_up
from fieldcare.settings import Settings
from fieldcare.tables import alarm_table
from fieldcare.wiring import Collecting, Stores, desk_of, open_stores, profiles
from health.alarm import Alarm
from health.document import ProfileError
from health.profile import load as load_profile

_MANY = 100_000


@app.command("replay")
def replay_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    mapping: Annotated[
        Path | None, typer.Option(help="TOML: which column, tag or field is what.")
    ] = None,
    profile: Annotated[Path | None, typer.Option(help="YAML: rules of the device's model.")] = None,
    speed: Annotated[float, typer.Option(min=0, help="1 is real time, 0 as fast as possible.")] = 0,
    data: Data = None,
) -> None:
    """Feed a file as if the devices had just sent it, and list the alarms.

    CSV with a mapping, line protocol (.lp) of InfluxDB, or JSON lines; each also as .gz.
    """
    set_up(quiet=True)
    conf = settings(data=data)
    if profile is not None:
        _take_profile(conf, profile)
    columns = _mapping(mapping, load_export if is_export(file) else load)
    stores = open_stores(conf)
    if isinstance(columns, Mapping):
        _register(conf, stores, columns)
    done = _feed(conf, stores, file, columns, speed)
    _report(stores, done, columns)
    stores.close()


def _take_profile(conf: Settings, profile: Path) -> None:
    """Check the profile and keep a copy, so that later runs know the model too."""
    try:
        code = load_profile(profile.read_text("utf-8"), profile.name).model.code
    except ProfileError as error:
        end(str(error))
    conf.profiles_folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(profile, conf.profiles_folder / f"{code}.yaml")


def _mapping(
    file: Path | None, read: Callable[[str, str], Mapping | Export]
) -> Mapping | Export | None:
    try:
        return None if file is None else read(file.read_text("utf-8"), file.name)
    except BadMapping as error:
        end(str(error))


def _register(conf: Settings, stores: Stores, columns: Mapping) -> None:
    known = profiles(conf)
    if columns.model not in known:
        end(f"model {columns.model!r} is none of {', '.join(known)}; give its --profile")
    with stores.records.begin() as work:
        if work.shelf(Site).get(columns.site) is None:
            title = Words(columns.site, columns.site)
            work.shelf(Site).put(Site(columns.site, columns.site, title, 30.66, 104.07))
        if work.shelf(Device).get(columns.device) is None:
            device = Device(columns.device, columns.site, columns.model, columns.device)
            work.shelf(Device).put(device)


def _feed(
    conf: Settings, stores: Stores, file: Path, columns: Mapping | Export | None, speed: float
) -> Progress:
    ingest = Collecting(conf, desk_of(conf, stores, wall_clock)).ingest
    ingest.resume()
    spoken = ingest.births()
    committer = Committer(ingest)
    committer.start()
    done = Progress(0, 0)
    try:
        with bar(file.name) as progress:
            task = progress.add_task("bytes", total=None)
            for done in replay(file, committer, mapping=columns, speed=speed):
                progress.update(task, completed=done.read, total=done.size)
    except BadMapping as error:
        end(str(error))
    finally:
        committer.stop()
        ingest.set_births(spoken)  # the units of the file are not those of the next live message
        ingest.checkpoint()
    return done


def _report(stores: Stores, done: Progress, columns: Mapping | Export | None) -> None:
    other = f", {done.passed_over} lines about something else" if done.passed_over else ""
    console.print(f"{done.messages} messages, {done.bad_rows} bad rows{other}")
    for bad in done.bad[:10]:
        console.print(f"  line {bad.line}: {bad.why}")
    equals: dict[str, Any] = {}
    if columns is not None and columns.device:
        equals["device"] = columns.device
    with stores.records.read() as work:
        alarms = work.shelf(Alarm).find(limit=_MANY, **equals)
    console.print(alarm_table(sorted(alarms, key=lambda alarm: alarm.raised_at)))

"""What drives devices that are not there."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fieldcare.cli import Data, app, console, end, opened
from fieldcare.clock import wall_clock
from fieldcare.demo import seed_region
from fieldcare.logs import set_up
from simulators import hospital
from simulators.command import BadAddress, Wish, door_of, run
from simulators.fleet import Progress


@app.command("simulate")
def simulate_devices(
    *,
    url: Annotated[str, typer.Option(help="mqtt://host:port of the broker or endpoint.")],
    devices: Annotated[int, typer.Option(min=1, max=10_000)] = 40,
    speed: Annotated[float, typer.Option(min=0.001, help="Event seconds a second.")] = 1.0,
    duration: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    seed: int = 1,
    often: Annotated[float, typer.Option(min=0, help="Times the usual failures a year.")] = 1.0,
    labels: Annotated[Path | None, typer.Option(help="Where to write the truth.")] = None,
    secrets: Annotated[Path | None, typer.Option(help="JSON: device id to password.")] = None,
) -> None:
    """Let an invented region of devices speak over real MQTT connections."""
    set_up(quiet=True)
    try:
        door_of(url)
    except BadAddress as error:
        end(str(error))
    wish = Wish(
        wall_clock(), seed=seed, devices=devices, speed=speed, duration_s=duration, often=often,
        labels=labels,
    )  # fmt: skip
    known = json.loads(secrets.read_text()) if secrets else {}
    with console.status("connecting") as status:

        def report(done: Progress, now: datetime) -> None:
            status.update(
                f"{done.devices} devices, {done.wire.acked} messages acknowledged, "
                f"{done.values} values, their time {now:%Y-%m-%d %H:%M}Z"
            )

        done = asyncio.run(run(url, wish, _password(known), report))
    console.print(f"{done.values} values sent, {done.wire.acked} messages acknowledged")


def _password(known: dict[str, str]) -> Callable[[str], str]:
    return lambda device: known.get(device, device)


@app.command("simulate-register")
def register_region(
    secrets: Annotated[Path, typer.Argument(help="Where to write device id to password.")],
    devices: Annotated[int, typer.Option(min=1, max=10_000)] = 40,
    seed: int = 1,
    data: Data = None,
) -> None:
    """Put the invented region on record, so that its devices may connect."""
    region = hospital.region(seed, devices)
    with opened(data) as stores:
        known = seed_region(stores.records, region)
    secrets.write_text(json.dumps(known, indent=1) + "\n")
    secrets.chmod(0o600)
    console.print(f"{len(region.devices)} devices at {len(region.sites)} sites registered")

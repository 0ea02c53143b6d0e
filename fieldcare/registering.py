"""What puts people and devices on record."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from aftersales.access import ROLES, Role
from aftersales.user import User
from collector.admission import gateway_principal
from desk import register
from desk.signing import hashed
from desk.tickets import UnknownRecord
from equipment.credential import Credential
from equipment.device import BadRecord, Device, Site
from equipment.wire import MalformedMessage, address
from equipment.words import Words
from fieldcare.cli import Data, app, as_sent, by_hand, console, end, opened, settings
from fieldcare.clock import wall_clock
from fieldcare.wiring import profiles

_SHORTEST = 8
devices = typer.Typer(no_args_is_help=True, help="Register devices and their credentials.")
app.add_typer(devices, name="device")
gateways = typer.Typer(no_args_is_help=True, help="Credentials of gateways, each for one site.")
app.add_typer(gateways, name="gateway")


@devices.command("add")
def add_device(
    id: str,
    *,
    model: Annotated[str, typer.Option(help="A model of the catalogue, such as CHEM.")],
    site: Annotated[str, typer.Option(help="Id of the site; made if it is new.")],
    serial: str = "",
    latitude: Annotated[float, typer.Option(help="Of a new site, WGS-84 degrees.")] = 30.66,
    longitude: Annotated[float, typer.Option(help="Of a new site, WGS-84 degrees.")] = 104.07,
    data: Data = None,
) -> None:
    """Register a device and print its MQTT password, this once."""
    known = profiles(settings(data=data))
    if model not in known:
        end(f"model {model!r} is none of {', '.join(known)}")
    try:
        address(f"fc/v1/{site}/{id}/tele")
        place = Site(site, site, Words(site, site), latitude, longitude)
    except (MalformedMessage, BadRecord) as error:
        end(str(error))
    with opened(data) as stores:
        by = by_hand()
        register.add_device(stores.records, Device(id, site, model, serial or id), place, by)
        _print_secret(id, register.issue(stores.records, id, by))


def _print_secret(id: str, secret: str) -> None:
    console.print(f"username {id}, password {secret}", highlight=False)
    if settings().broker:
        console.print("write it into the broker's file: fieldcare device passwords FILE")


@devices.command("rotate")
def rotate_device(
    id: str,
    grace: Annotated[
        int, typer.Option(min=0, max=10_080, help="Minutes that the old password holds on.")
    ] = 0,
    data: Data = None,
) -> None:
    """Give a device a new MQTT password and print it, this once.

    Connections with the old password are cut within seconds, or when the grace is over.
    """
    with opened(data) as stores:
        with stores.records.read() as work:
            if work.shelf(Device).get(id) is None:
                end(f"device {id!r} is not registered")
        by, held = by_hand(), timedelta(minutes=grace)
        _print_secret(id, register.issue(stores.records, id, by, grace=held))
    if grace:
        console.print(f"the old password holds until {by.now + held:%Y-%m-%d %H:%M} UTC")


@devices.command("revoke")
def revoke_device(id: str, data: Data = None) -> None:
    """Take a device's password away; what it has open is cut within seconds."""
    with opened(data) as stores:
        try:
            register.revoke(stores.records, id, by_hand())
        except UnknownRecord as error:
            end(str(error))
    console.print(f"{id} may not connect any more; `fieldcare device rotate` lets it in again")


@devices.command("list")
def list_devices(
    site: Annotated[str, typer.Option(help="Only this site.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    data: Data = None,
) -> None:
    """List the devices on record, and whether each has a password."""
    equals: dict[str, Any] = {"site": site} if site else {}
    with opened(data) as stores, stores.records.read() as work:
        shelf = work.shelf(Device)
        rows, total = shelf.find(limit=limit, **equals), shelf.count(**equals)
        held = {c.id: c for c in work.shelf(Credential).find(id=[d.id for d in rows], limit=limit)}
    table = Table(title=f"{len(rows)} of {total} devices")
    for column in ("id", "model", "site", "serial", "password"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.id, row.model, row.site, as_sent(row.serial), _password(held.get(row.id)))
    console.print(table)


def _password(kept: Credential | None) -> str:
    if kept is None:
        return "none"
    issued = f"since {kept.issued_at:%Y-%m-%d %H:%M}" if kept.issued_at else "yes"
    former = kept.former
    holds = former is not None and former.until > wall_clock()
    return f"{issued}, the one before until {former.until:%H:%M}" if holds and former else issued


@devices.command("passwords")
def write_passwords(
    file: Annotated[Path, typer.Argument(help="mosquitto's password_file.")], data: Data = None
) -> None:
    """Write the passwords of devices and gateways into mosquitto's password file.

    Lines of other users stay. mosquitto reads the file again at SIGHUP.
    """
    with opened(data) as stores, stores.records.read() as work:
        before = file.read_text("utf-8").splitlines() if file.exists() else []
        lines, missing = register.password_lines(work, before)
    fresh = file.with_name(f"{file.name}.new")
    fresh.touch(0o600)
    fresh.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    if file.exists():
        shutil.copystat(file, fresh)
    fresh.replace(file)
    console.print(f"{len(lines)} users in {file.name}; now send mosquitto a SIGHUP")
    if missing:
        console.print(f"missing until they are rotated: {', '.join(missing[:20])}")


@gateways.command("add")
def add_gateway(
    name: Annotated[str, typer.Argument(help="Of the form SITE/NAME.")], data: Data = None
) -> None:
    """Let a gateway speak for the devices of its site; print its password, this once.

    One that has a password already gets a new one instead.
    """
    try:
        gateway_principal(name)
    except ValueError as error:
        end(str(error))
    with opened(data) as stores:
        with stores.records.read() as work:
            if work.shelf(Site).get(name.partition("/")[0]) is None:
                end(f"site {name.partition('/')[0]!r} of gateway {name!r} is not on record")
        _print_secret(name, register.issue(stores.records, name, by_hand()))


@gateways.command("revoke")
def revoke_gateway(name: str, data: Data = None) -> None:
    """Take a gateway's password away; what it has open is cut within seconds."""
    with opened(data) as stores:
        try:
            if "/" not in name:
                raise UnknownRecord(name)
            register.revoke(stores.records, name, by_hand())
        except UnknownRecord:
            end(f"there is no gateway {name!r}")
    console.print(f"{name} may not connect any more")


@app.command()
def user(
    login: str,
    role: Annotated[str, typer.Option(help=", ".join(f"{r} {w.en}" for r, w in ROLES.items()))],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    title: Annotated[str, typer.Option(help="The name that is shown.")] = "",
    data: Data = None,
) -> None:
    """Create a user, or give an existing one a new password."""
    if role not in list(Role):
        end(f"role {role!r} is none of {', '.join(Role)}")
    if len(password) < _SHORTEST:
        end(f"the password has {len(password)} characters, the shortest allowed is {_SHORTEST}")
    shown = Words(title or login, title or login)
    with opened(data) as stores, stores.records.begin() as work:
        work.shelf(User).put(User(login, shown, role, hashed(password)))
    console.print(f"{login} may sign in as {ROLES[Role(role)].en}")

"""What puts people and devices on record."""

from typing import Annotated

import typer

from aftersales.access import ROLES, Role
from aftersales.user import User
from collector.admission import gateway_principal
from desk.signing import hashed
from equipment.catalog import MODELS
from equipment.credential import Credential
from equipment.device import BadRecord, Device, Site
from equipment.wire import MalformedMessage, address
from equipment.words import Words
from fieldcare.cli import Data, app, console, end, opened
from fieldcare.wiring import issue_credential

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
    if model not in MODELS:
        end(f"model {model!r} is none of {', '.join(MODELS)}")
    try:
        address(f"fc/v1/{site}/{id}/tele")
        place = Site(site, site, Words(site, site), latitude, longitude)
    except (MalformedMessage, BadRecord) as error:
        end(str(error))
    with opened(data) as stores:
        with stores.records.begin() as work:
            if work.shelf(Site).get(site) is None:
                work.shelf(Site).put(place)
            work.shelf(Device).put(Device(id, site, model, serial or id))
        console.print(f"username {id}, password {issue_credential(stores.records, id)}")


@devices.command("rotate")
def rotate_device(id: str, data: Data = None) -> None:
    """Give a device a new MQTT password and print it, this once."""
    with opened(data) as stores:
        with stores.records.read() as work:
            if work.shelf(Device).get(id) is None:
                end(f"device {id!r} is not registered")
        console.print(f"username {id}, password {issue_credential(stores.records, id)}")


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
        console.print(f"username {name}, password {issue_credential(stores.records, name)}")


@gateways.command("revoke")
def revoke_gateway(name: str, data: Data = None) -> None:
    """Take a gateway's password away."""
    with opened(data) as stores, stores.records.begin() as work:
        if "/" not in name or work.shelf(Credential).get(name) is None:
            end(f"there is no gateway {name!r}")
        work.shelf(Credential).remove(name)
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

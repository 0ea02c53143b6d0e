"""What deals with refused messages: look, teach what they mean, replay, discard."""

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from aftersales.machine import Refused
from desk.mappings import mappings, teach, unteach
from desk.office import Office
from desk.quarantine import ask_replay, discard
from desk.tickets import UnknownRecord
from equipment.mapped import KINDS, Mapped, WrongMapping
from equipment.quarantine import DISCARDS, IDS_AT_ONCE, Quarantined, Replay
from fieldcare.cli import Data, app, as_sent, bar, by_hand, console, end, opened, settings
from fieldcare.clock import wall_clock
from fieldcare.logs import set_up
from fieldcare.settings import Settings
from fieldcare.wiring import Collecting, claim, desk_of, open_stores, profiles
from storage.tail import StorageError

_COLLECTOR_ANSWERS_S = 4.0
_LOOK_S = 0.2
_SHOWN = 20
Ids = Annotated[list[str] | None, typer.Argument(help="Ids as the list shows them.")]
OfReason = Annotated[str, typer.Option(help="All that were refused for this reason.")]
OfDevice = Annotated[str, typer.Option(help="All messages of this device.")]
group = typer.Typer(invoke_without_command=True, help="Refused messages: list, teach, replay.")
app.add_typer(group, name="quarantine")


@group.callback()
def quarantine(
    context: typer.Context,
    data: Data = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List refused messages, newest first, and why; or do something about them."""
    if context.invoked_subcommand is not None:
        return
    asked = {"reason": reason, "device": device}
    equals: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    with opened(data) as stores, stores.records.read() as work:
        shelf = work.shelf(Quarantined)
        rows, total = shelf.find(limit=limit, newest_first=True, **equals), shelf.count(**equals)
    if not total:
        console.print("nothing is in quarantine")
        return
    table = Table(title=f"{len(rows)} of {total}")
    for column in ("id", "at (UTC)", "reason", "why", "topic", "payload"):
        table.add_column(column, no_wrap=column in ("id", "reason"), overflow="fold")
    for row in rows:
        text = row.payload[:60].decode("utf-8", errors="backslashreplace")
        at = f"{row.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(row.id, at, row.reason, *map(as_sent, (row.why, row.topic, text)))
    console.print(table)


@group.command()
def show(id: str, data: Data = None) -> None:
    """Show one refused message with all of its payload."""
    with opened(data) as stores, stores.records.read() as work:
        one = work.shelf(Quarantined).get(id)
    if one is None:
        end(f"message {id!r} is not in quarantine")
    for name in ("id", "at", "reason", "why", "topic", "sender", "device", "size"):
        console.print(as_sent(f"{name:7} {getattr(one, name)}"), highlight=False)
    text = one.payload.decode("utf-8", errors="backslashreplace")
    console.print(as_sent(text), highlight=False, soft_wrap=True)


@group.command("map")
def map_(
    kind: Annotated[str, typer.Argument(help="; ".join(f"{k}: {w.en}" for k, w in KINDS.items()))],
    sent: Annotated[str, typer.Argument(help="What the device sends.")],
    means: Annotated[str, typer.Argument(help="What it means; '' to ignore a metric.")],
    *,
    model: Annotated[str, typer.Option(help="For all devices of this model.")] = "",
    device: Annotated[str, typer.Option(help="For this device only.")] = "",
    data: Data = None,
) -> None:
    """Teach what a device means: `map metric temp1 reaction_bath_temp --model CHEM`.

    It holds at once in a running collector; replay afterwards what was refused before.
    """
    conf = settings(data=data)
    models = {code: profile.model for code, profile in profiles(conf).items()}
    with opened(data) as stores:
        office = desk_of(conf, stores, wall_clock)
        try:
            row = teach(
                office, by_hand(), kind=kind, sent=sent, means=means, model=model, device=device,
                models=models,
            )  # fmt: skip
        except WrongMapping as error:
            end(str(error))
    console.print(f"{row.id}: {_told(row)}", markup=False, highlight=False)


def _told(row: Mapped) -> str:
    whom = row.device or row.model or "everywhere"
    return f"{row.kind} {row.sent!r} means {row.means!r} ({whom}, version {row.version})"


@group.command()
def unmap(id: str, data: Data = None) -> None:
    """Take a mapping back."""
    with opened(data) as stores:
        try:
            row = unteach(desk_of(settings(data=data), stores, wall_clock), by_hand(), id)
        except UnknownRecord as error:
            end(str(error))
    console.print(f"no longer: {_told(row)}", markup=False, highlight=False)


@group.command("mappings")
def list_mappings(data: Data = None) -> None:
    """List what was taught, by whom and when."""
    with opened(data) as stores, stores.records.read() as work:
        rows = mappings(work)
    table = Table(title=f"{len(rows)} mapping{'s' if len(rows) != 1 else ''}")
    for column in ("id", "kind", "sent", "means", "for", "version", "by", "at (UTC)"):
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for row in rows:
        whom, at = row.device or row.model or "everywhere", f"{row.at:%Y-%m-%d %H:%M}"
        means = row.means or "(ignored)"
        cells = (row.sent, means, whom, str(row.version), row.by, at)
        table.add_row(row.id, row.kind, *map(as_sent, cells))
    console.print(table)


@group.command("discard")
def discard_(
    ids: Annotated[list[str], typer.Argument(help="Ids as the list shows them.")],
    reason: Annotated[
        str, typer.Option(help="; ".join(f"{k}: {w.en}" for k, w in DISCARDS.items()))
    ],
    data: Data = None,
) -> None:
    """Remove messages for good; the journal says who did it and why."""
    with opened(data) as stores:
        try:
            gone = discard(desk_of(settings(data=data), stores, wall_clock), by_hand(), ids, reason)
        except Refused as error:
            end(str(error))
    console.print(f"{gone} of {len(ids)} messages discarded")


@group.command("replay")
def replay_(
    ids: Ids = None, reason: OfReason = "", device: OfDevice = "", data: Data = None
) -> None:
    """Let refused messages go through the intake again, as if they had just come.

    A running collector does it; if none runs, this command does.
    """
    if not (ids or reason or device):
        end("say which: ids, --reason or --device")
    conf = settings(data=data)
    with opened(data) as stores:
        office = desk_of(conf, stores, wall_clock)
        try:
            asked = ask_replay(office, by_hand(), ids=ids or (), reason=reason, device=device)
        except Refused as error:
            end(str(error))
        done = _watch(office, asked, _COLLECTOR_ANSWERS_S)
    if done.state == "waiting":
        done = _do_it_here(conf, asked)
    _report(done)


def _watch(office: Office, asked: Replay, patience_s: float) -> Replay:
    """Show how a replay goes; return when it is done, or when nobody takes it up."""
    give_up_at = time.monotonic() + patience_s
    with bar("replay") as progress:
        task = progress.add_task("messages", total=asked.total)
        while True:
            with office.records.read() as work:
                now = work.shelf(Replay).get(asked.id) or asked
            progress.update(task, completed=now.done)
            if now.state == "done" or (now.state == "waiting" and time.monotonic() > give_up_at):
                return now
            time.sleep(_LOOK_S)


def _do_it_here(conf: Settings, asked: Replay) -> Replay:
    """Replay in this process, as the only one that appends."""
    set_up(quiet=True)
    try:
        stores = open_stores(conf)
        claim(stores)
    except StorageError as error:
        end(f"a collector runs but does not take the replay up ({error}); it stays asked for")
    office = desk_of(conf, stores, wall_clock)
    collecting = Collecting(conf, office)
    collecting.ingest.resume()
    collecting.committer.start()
    collecting.news.start()
    try:
        return _watch(office, asked, float("inf"))
    finally:
        collecting.news.stop()
        collecting.stop()
        stores.close()


def _report(done: Replay) -> None:
    table = Table(title=f"{done.id}: {done.done} of {done.total} messages")
    for column in ("id", "outcome", "reason", "why"):
        table.add_column(column, no_wrap=column != "why", overflow="fold")
    for one in done.results[:_SHOWN]:
        table.add_row(one.id, one.outcome, one.reason, as_sent(one.why))
    console.print(table)
    if len(done.results) > _SHOWN:
        console.print(f"... and {done.done - _SHOWN} more, at most {IDS_AT_ONCE} are kept")
    console.print(
        f"{done.stored} stored, {done.duplicate} duplicate, {done.refused} still refused, "
        f"{done.gone} gone"
    )

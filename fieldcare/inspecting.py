"""What looks at what is kept: quarantine, refused lines, journal."""

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from aftersales.journal import GENESIS, first_break
from equipment.quarantine import Quarantined
from fieldcare.cli import Data, app, bar, console, end, opened, settings
from fieldcare.wiring import spool_folder
from storage.refused import RefusedLines

_PAGE = 2000


@app.command()
def quarantine(
    data: Data = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List refused messages, newest first, and why."""
    with opened(data) as stores, stores.records.read() as work:
        shelf = work.shelf(Quarantined)
        equals = {} if reason is None else {"reason": reason}
        rows, total = shelf.find(limit=limit, newest_first=True, **equals), shelf.count(**equals)
    if not total:
        console.print("nothing is in quarantine")
        return
    table = Table(title=f"{len(rows)} of {total}")
    for column in ("at (UTC)", "reason", "why", "topic", "payload"):
        table.add_column(column, no_wrap=column == "reason", overflow="fold")
    for row in rows:
        text = row.payload[:60].decode("utf-8", errors="backslashreplace")
        table.add_row(f"{row.at:%Y-%m-%d %H:%M:%S}", row.reason, row.why, row.topic, text)
    console.print(table)


@app.command()
def refused(
    data: Data = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List readings that InfluxDB will never take, newest first, and its reason."""
    rows = list(islice(RefusedLines(spool_folder(settings(data=data))).newest_first(), limit))
    if not rows:
        console.print("no reading was refused")
        return
    table = Table()
    for column in ("at (UTC)", "why", "line"):
        table.add_column(column, overflow="fold")
    for row in rows:
        at = datetime.fromtimestamp(row.at_ms / 1000, UTC)
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", row.why, row.line)
    console.print(table)


@app.command()
def verify(data: Data = None) -> None:
    """Check the journal's hash chain from the first event to the last."""
    id, prev_hash = 0, GENESIS
    with opened(data) as stores, stores.records.read() as work, bar("journal") as progress:
        task = progress.add_task("events", total=work.journal.head())
        while events := work.journal.after(id, _PAGE):
            broken = first_break(events, id=id, prev_hash=prev_hash)
            if broken is not None:
                end(f"the journal is broken: {broken}")
            id, prev_hash = events[-1].id, events[-1].hash
            progress.update(task, completed=id)
    console.print(f"the journal holds: {id} events, head {prev_hash[:16]}")

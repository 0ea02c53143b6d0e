"""What looks at what is kept: quarantine, refused lines, journal."""

from typing import Annotated

import typer
from rich.table import Table

from aftersales.journal import GENESIS, first_break
from desk.ledger import ledgers
from equipment.sequence import Tally
from fieldcare.cli import Data, app, as_sent, bar, console, end, opened

_PAGE = 2000
_GAPS_SHOWN = 5


@app.command()
def ledger(
    devices: Annotated[list[str] | None, typer.Argument(help="All of them if empty.")] = None,
    data: Data = None,
) -> None:
    """Show what became of every message: received = stored + duplicate + quarantined, and gaps."""
    with opened(data) as stores:
        found = ledgers(stores.telemetry)
    if found is None:
        console.print("no collector has set down a ledger here")
        return
    wanted = {id: found[id] for id in sorted(devices or found) if id in found}
    if missing := sorted(set(devices or ()) - found.keys()):
        end(f"nothing was heard of {', '.join(missing)}")
    table = Table(title=f"{len(wanted)} device{'s' if len(wanted) != 1 else ''}")
    counted = ("received", "stored", "duplicate", "quarantined", "reboots", "resets")
    for column in ("device", *counted, "gaps"):
        table.add_column(column, justify="left" if column in ("device", "gaps") else "right")
    for id, one in wanted.items():
        table.add_row(id, *(f"{getattr(one, name):,}" for name in counted), as_sent(_gaps(one)))
    console.print(table)


def _gaps(one: Tally) -> str:
    gaps = one.gaps()
    told = ", ".join(f"{boot} {first}-{last}" for boot, first, last in gaps[:_GAPS_SHOWN])
    return f"{told}, ... {len(gaps)} in all" if len(gaps) > _GAPS_SHOWN else told


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

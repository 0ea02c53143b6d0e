"""What runs: everything in one process, or each part in its own."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.app import create_app
from api.context import Backstage
from desk.office import Office
from desk.planning import Overtaken, plan_visits
from fieldcare.cli import Data, app, console, end, opened, settings
from fieldcare.clock import wall_clock
from fieldcare.logs import set_up
from fieldcare.running import running, wait_for_signal
from fieldcare.settings import Settings
from fieldcare.solving import Task, solve_day
from fieldcare.tables import plan_table
from fieldcare.wiring import (
    Collecting,
    Stores,
    announced,
    backstage,
    desk_of,
    open_stores,
    operations,
    planner,
    rounds,
    server,
    set_up_telemetry,
)
from scheduler.published import Published
from scheduler.travel import crow_flies
from storage.influx_setup import SetUpFailed


@app.command()
def run(data: Data = None) -> None:
    """Collect, evaluate, plan and serve, all in this process."""
    conf, stores, desk = _opened(data)
    collecting, planning = Collecting(conf, desk), planner(conf, desk)
    with running([collecting, planning, rounds(conf, desk)]):
        _serve(conf, backstage(conf, desk, collecting=collecting, planning=planning))
    stores.close()


@app.command()
def collect(
    data: Data = None,
    http_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Also serve HTTP there; gateways hand in messages."),
    ] = None,
) -> None:
    """Only collect: messages in, durable, evaluated, tickets opened."""
    conf, stores, desk = _opened(data)
    collecting = Collecting(conf, desk)
    stage = backstage(conf, desk, collecting=collecting)
    with running([collecting, rounds(conf, desk), *operations(conf, stage)]):
        if http_port is None:
            wait_for_signal()
        else:
            _serve(conf.model_copy(update={"http_port": http_port}), stage)
    stores.close()


@app.command()
def serve(data: Data = None) -> None:
    """Only serve the API and the pages."""
    conf, stores, desk = _opened(data, collects=False)
    _serve(conf, backstage(conf, desk))
    stores.close()


def _serve(conf: Settings, stage: Backstage) -> None:
    http = server(conf, stage)
    with announced(http, lambda at: console.print(f"fieldcare: {at}", highlight=False)):
        http.run()


@app.command()
def plan(
    data: Data = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep planning as things change.")] = False,
) -> None:
    """Plan the open tickets now and print who goes where; --watch keeps at it."""
    conf, stores, desk = _opened(data, quiet=not watch, collects=False)
    if watch:
        planning = planner(conf, desk)
        stage = backstage(conf, desk, planning=planning)
        with running([planning, *operations(conf, stage)]):
            wait_for_signal()
    else:
        _plan_once(conf, desk)
    stores.close()


def _plan_once(conf: Settings, desk: Office) -> None:
    travel, limit_s = crow_flies(), conf.plan_limit_s
    with console.status("planning"):
        try:
            plan_visits(
                desk,
                lambda asked, staff, now, last: solve_day(
                    Task(asked, staff, travel, now, limit_s, last)
                ),
                travel,
            )
        except Overtaken as error:
            end(f"{error}; plan again")
    with desk.records.read() as work:
        kept = work.shelf(Published).find(limit=1, newest_first=True)
    if not kept or kept[0].failed_at is not None:
        end(kept[0].why.en if kept and kept[0].why else "there is no plan")
    made = kept[0].plan
    console.print(plan_table(made) if made.routes or made.unserved else "nobody has to go anywhere")


def _opened(
    data: Path | None, *, quiet: bool = False, collects: bool = True
) -> tuple[Settings, Stores, Office]:
    set_up(quiet=quiet)
    conf = settings(data=data)
    stores = open_stores(conf, collects=collects)
    return conf, stores, desk_of(conf, stores, wall_clock)


@app.command()
def migrate(data: Data = None) -> None:
    """Bring the stores to the newest schema, and set InfluxDB up."""
    with opened(data):
        try:
            done = set_up_telemetry(settings(data=data))
        except SetUpFailed as error:
            end(str(error))
        for sentence in done:
            console.print(sentence, highlight=False)
        console.print("the stores are up to date")


@app.command()
def openapi(
    out: Annotated[Path, typer.Argument(help="Where to write it.")], data: Data = None
) -> None:
    """Write the API's description, from which the pages take their types."""
    with opened(data) as stores:
        conf = settings(data=data)
        description = create_app(backstage(conf, desk_of(conf, stores, wall_clock))).openapi()
    out.write_text(json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    console.print(f"wrote {out.name}: {len(description['paths'])} paths")

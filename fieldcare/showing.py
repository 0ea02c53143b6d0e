"""What shows the product: the demo, one process, one command."""

from pathlib import Path
from typing import Annotated

import typer

from fieldcare import demo as story_of
from fieldcare.cli import app, bar, console, end, settings
from fieldcare.logs import set_up
from fieldcare.running import running
from fieldcare.settings import Settings
from fieldcare.wiring import (
    Collecting,
    Stores,
    announced,
    backstage,
    desk_of,
    open_stores,
    planner,
    rounds,
    server,
)

_PLAN_LIMIT_S = 1.0


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="The demo's own folder.")] = Path("var/demo"),
    speed: Annotated[float, typer.Option(help="Simulated seconds a second.", min=1)] = 120.0,
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 takes any free one.")] = None,
    mqtt_port: Annotated[int, typer.Option(help="MQTT port; 0 takes any free one.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the last story.")] = False,
) -> None:
    """Show everything in one process, on simulated devices and a fast clock."""
    set_up(quiet=True)
    conf = settings(data=data, http_port=port, mqtt_port=mqtt_port, plan_limit_s=_PLAN_LIMIT_S)
    try:
        story = story_of.open_story(conf.data, speed, fresh=fresh)
    except story_of.NotADemo as error:
        end(str(error))
    stores = open_stores(conf)
    if not story.kept.ready:
        _prepare(conf, story, stores)
    _show(conf, story, stores)
    stores.close()
    console.print("stopped; the next start continues here, FRESH=1 starts over")


def _prepare(conf: Settings, story: story_of.Story, stores: Stores) -> None:
    """Put the region on record and let the rules see the days before the story."""
    story_of.seed(stores.records, story)
    desk = desk_of(conf, stores, lambda: story.kept.start)
    ingest = Collecting(conf, desk).ingest
    with bar("three days of history") as progress:
        task = progress.add_task("devices", total=len(story.region.devices))
        story_of.tell_history(story, ingest, lambda done: progress.update(task, completed=done))
    story.kept.ready = True
    story.save()


def _show(conf: Settings, story: story_of.Story, stores: Stores) -> None:
    story_of.renew_shifts(stores.records, story)
    story.begin(stores.records)
    desk = desk_of(conf, stores, story.clock, story.speed)
    collecting, planning = Collecting(conf, desk), planner(conf, desk)
    stage = backstage(
        conf, desk, speed=story.speed, collecting=collecting, planning=planning,
        demo=story_of.demo_doors(story),
    )  # fmt: skip
    with running([collecting, planning, rounds(conf, desk)]):
        fleet, crew = story_of.Fleet(story, collecting.port), story_of.crew(story, desk)
        with running([fleet, crew]):
            http = server(conf, stage)
            with announced(http, lambda at: console.print(story_of.describe(story, at))):
                http.run()
    story.save()

"""Tables for the terminal."""

from rich.table import Table

from health.alarm import Alarm
from scheduler.plan import DayPlan


def plan_table(plan: DayPlan) -> Table:
    """Return who goes where, and who waits and why."""
    table = Table("technician", "ticket", "arrive", "end", "drive", "late", title="plan (UTC)")
    for route in plan.routes:
        for stop in route.stops:
            table.add_row(
                route.technician,
                stop.request,
                f"{stop.arrive_at:%m-%d %H:%M}",
                f"{stop.end_at:%H:%M}",
                f"{stop.travel_s / 60:.0f} min",
                f"{stop.late_s / 60:.0f} min" if stop.late_s else "",
            )
    for one in plan.unserved:
        table.add_row("-", one.request, one.why.en)
    return table


def alarm_table(alarms: list[Alarm]) -> Table:
    """Return what the rules said."""
    table = Table(title=f"{len(alarms)} alarm{'s' if len(alarms) != 1 else ''}")
    for column in ("raised (UTC)", "cleared", "device", "rule", "says"):
        table.add_column(column, no_wrap=column != "says")
    for alarm in alarms:
        cleared = f"{alarm.cleared_at:%H:%M:%S}" if alarm.cleared_at else "active"
        table.add_row(
            f"{alarm.raised_at:%Y-%m-%d %H:%M:%S}", cleared, alarm.device, alarm.rule, alarm.says.en
        )
    return table

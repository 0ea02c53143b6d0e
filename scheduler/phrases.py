"""Phrases of reasons and cautions: times of day, durations, lists, device families."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from equipment.catalog import MODELS
from equipment.words import Words
from scheduler.model import Day

FAMILIES: dict[str, Words] = {model.family: model.title for model in MODELS.values()}
NAMED = 5


def family_title(family: str | None) -> Words:
    """Return what people call a device family, its code where it has no name."""
    code = family or ""
    return FAMILIES.get(code, Words(code, code))


def clock_time(day: Day, at: datetime) -> str:
    """Return the local time of ``at``, with the date where it is not the day of planning."""
    local, today = at.astimezone(day.zone), day.origin.astimezone(day.zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%m-%d %H:%M}"


def span(seconds: int) -> Words:
    """Return a duration in hours and minutes, begun minutes counting whole."""
    hours, rest = divmod(-(-seconds // 60), 60)
    if hours == 0:
        return Words(f"{rest} 分钟", f"{rest} min")
    if rest == 0:
        return Words(f"{hours} 小时", f"{hours} h")
    return Words(f"{hours} 小时 {rest} 分钟", f"{hours} h {rest} min")


def joined(parts: Iterable[Words], zh: str = "，", en: str = ", ") -> Words:
    """Return the parts in one sentence."""
    found = list(parts)
    return Words(zh.join(p.zh for p in found), en.join(p.en for p in found))


def listed(names: Sequence[Words], counter: str) -> Words:
    """Return the first names, and how many there are; ``counter`` is the Chinese measure word."""
    shown = joined(names[:NAMED], "、", ", ")
    if len(names) <= NAMED:
        return shown
    return Words(
        f"{shown.zh} 等 {len(names)} {counter}", f"{shown.en} and {len(names) - NAMED} more"
    )

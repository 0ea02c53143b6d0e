"""Reasons in words: why this technician, and why nobody."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from equipment.words import Words
from scheduler.drive import drive
from scheduler.model import Day, Duty, certified
from scheduler.phrases import clock_time, family_title, joined, listed, span
from scheduler.pins import Frozen
from scheduler.plan import Stop, Technician, VisitRequest

STARTED = Words("已出发或已到场，不再改派", "already under way or there, stays as it is")


def chosen(day: Day, request: VisitRequest, stop: Stop, detour_s: int) -> Words:
    """Return why this technician: pin or certificate, arrival against the promise, detour."""
    parts = []
    if request.pinned_to is not None:
        parts.append(Words("已固定给该工程师", "pinned to this technician"))
    if request.family is not None:
        title = family_title(request.family)
        parts.append(Words(f"持{title.zh}资质", f"certified for {title.en}"))
    at = clock_time(day, stop.arrive_at)
    parts.append(Words(f"{at} 到达", f"arrives at {at}"))
    if request.promised_by is not None:
        parts.append(_against(request.promised_by - stop.start_at, stop.late_s))
    detour = span(detour_s)
    parts.append(Words(f"绕行 {detour.zh}", f"a detour of {detour.en}"))
    return joined(parts)


def _against(spare: timedelta, late_s: int) -> Words:
    if late_s:
        late = span(late_s)
        return Words(f"比承诺晚 {late.zh}", f"{late.en} after the promise")
    early = span(int(spare.total_seconds()) // 60 * 60)
    return Words(f"比承诺早 {early.zh}", f"{early.en} before the promise")


def unserved(day: Day, frozen: Frozen, routes: Sequence[Sequence[int]], job: int) -> Words:
    """Return why nobody is sent to ``job``: the first cause that holds."""
    request = day.requests[job]
    team = [t for t in day.technicians if request.pinned_to in (None, t.id)]
    if not team:
        who = request.pinned_to
        return Words(f"固定的工程师 {who} 不在名单中", f"pinned to {who}, who is not in the team")
    able = [t for t in team if request.family is None or request.family in t.certificates]
    if not able:
        return _nobody_certified(request, team[0])
    if job in frozen.refused or not day.allowed[job]:
        return _no_shift(day, request, able) or _pin_refused(day, request, able[0])
    alone = [n for n in day.allowed[job] if drive(day, day.duties[n], (job,)) is not None]
    return _crowded_out(day, routes, job, alone) if alone else _too_long(day, job)


def _nobody_certified(request: VisitRequest, pinned_to: Technician) -> Words:
    title = family_title(request.family)
    if request.pinned_to is not None:
        return Words(
            f"固定的工程师 {pinned_to.name.zh} 没有{title.zh}资质",
            f"pinned to {pinned_to.name.en}, who is not certified for {title.en}",
        )
    return Words(f"没有工程师持{title.zh}资质", f"nobody is certified for {title.en}")


def _no_shift(day: Day, request: VisitRequest, able: Sequence[Technician]) -> Words | None:
    """Return why no shift of those who hold the certificate is possible, None if one is."""
    duties = [d for d in day.duties if d.shift and day.technicians[d.technician] in able]
    if not duties:
        names = listed([t.name for t in able], "人")
        return Words(f"合格工程师 {names.zh} 没有剩余班次", f"no shift of {names.en} is left")
    opens = request.pinned_at or request.earliest_at
    in_time = [d for d in duties if opens is None or day.after(opens) < d.end]
    if opens is not None and not in_time:
        return _too_late(day, opens, max(d.end for d in duties), able)
    if any(_holds(day, duty, request) for duty in in_time):
        return None
    return _expired(request, able)


def _too_late(day: Day, opens: datetime, last: int, able: Sequence[Technician]) -> Words:
    names = listed([t.name for t in able], "人")
    start, end = clock_time(day, opens), clock_time(day, day.at(last))
    return Words(
        f"没有班次覆盖：{start} 才能开始，合格工程师 {names.zh} 的班次最晚 {end} 结束",
        f"no shift covers the time: it cannot begin before {start}, "
        f"the last shift of {names.en} ends at {end}",
    )


def _holds(day: Day, duty: Duty, request: VisitRequest) -> bool:
    """Return whether the certificate holds on the day of the duty."""
    who, shift = day.technicians[duty.technician], duty.shift
    return shift is not None and certified(day, who, request.family, shift.end_at)


def _expired(request: VisitRequest, able: Sequence[Technician]) -> Words:
    title = family_title(request.family)
    last = max(able, key=lambda t: t.certificates[request.family or ""])
    until = last.certificates[request.family or ""]
    return Words(
        f"{title.zh}资质届时均已过期（{last.name.zh} 至 {until}）",
        f"every certificate for {title.en} has expired by then ({last.name.en}: {until})",
    )


def _pin_refused(day: Day, request: VisitRequest, who: Technician) -> Words:
    at = clock_time(day, request.pinned_at or day.origin)
    return Words(
        f"固定给 {who.name.zh} 的 {at} 与其班次、休息或其他固定任务冲突",
        f"pinned to {who.name.en} at {at}, which does not fit the shift, a break or another pin",
    )


def _too_long(day: Day, job: int) -> Words:
    """Return how far the technician who comes closest is over the end of the shift."""
    over, number = min((_overrun(day, day.duties[n], job), n) for n in day.allowed[job])
    duty = day.duties[number]
    who, end = day.technicians[duty.technician].name, clock_time(day, day.at(duty.end))
    if over <= 0:
        return Words(
            f"{who.zh} 在 {end} 下班前排不下该任务和休息",
            f"does not fit beside the break of {who.en} before the shift ends at {end}",
        )
    home = clock_time(day, day.at(duty.end + over))
    return Words(
        f"超出所有合格班次：最接近的 {who.zh} 最早 {home} 返回，班次 {end} 结束",
        f"would end after every qualified shift: {who.en}, the closest, would be home at {home}, "
        f"the shift ends at {end}",
    )


def _overrun(day: Day, duty: Duty, job: int) -> int:
    begin = max(duty.start + day.times[duty.here][day.place[job]], day.opens[job])
    return begin + day.duration[job] + day.times[day.place[job]][duty.home] - duty.end


def _crowded_out(
    day: Day, routes: Sequence[Sequence[int]], job: int, alone: Sequence[int]
) -> Words:
    """Return which visits have the time of the technicians who could go."""
    able = dict.fromkeys(day.technicians[day.duties[n].technician].name for n in alone)
    names = listed(list(able), "人")
    there = [other for n in alone for other in routes[n]]
    if not there:
        return Words(
            f"合格工程师 {names.zh} 路程过远，代价高于不派",
            f"{names.en} could go, but the drive costs more than leaving it out",
        )
    urgent = [other for other in there if day.unserved[other] >= day.unserved[job]]
    labels = (day.requests[other].name for other in urgent or there)
    visits = listed([Words(label, label) for label in labels], "项")
    zh, en = (
        ("同等或更紧急的任务", "visits at least as urgent")
        if urgent
        else ("其他任务", "other visits")
    )
    return Words(
        f"合格工程师 {names.zh}的时间已用于{zh} {visits.zh}",
        f"{names.en} could go, but their time goes to {en}: {visits.en}",
    )

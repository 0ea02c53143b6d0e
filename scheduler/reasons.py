"""Reasons in words: why this technician, why nobody, and what a dispatcher should know."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from equipment.catalog import MODELS
from equipment.words import Words
from scheduler.drive import drive
from scheduler.model import Day, Duty
from scheduler.pins import Frozen
from scheduler.plan import Route, Stop, Technician, VisitRequest

FAMILIES: dict[str, Words] = {model.family: model.title for model in MODELS.values()}
STARTED = Words("已出发或已到场，不再改派", "already under way or there, stays as it is")
NAMED = 5


def family_title(family: str | None) -> Words:
    """Return what people call a device family, its code where it has no name."""
    code = family or ""
    return FAMILIES.get(code, Words(code, code))


def clock_time(day: Day, at: datetime) -> str:
    """Return the local time of ``at``, with the date where it is not the day of planning."""
    local, today = at.astimezone(day.zone), day.origin.astimezone(day.zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%m-%d %H:%M}"


def minutes(seconds: int) -> int:
    """Return whole minutes, begun ones counting whole."""
    return -(-seconds // 60)


def span(seconds: int) -> Words:
    """Return a duration in hours and minutes, begun minutes counting whole."""
    hours, rest = divmod(minutes(seconds), 60)
    if hours == 0:
        return Words(f"{rest} 分钟", f"{rest} min")
    return Words(f"{hours} 小时 {rest} 分钟", f"{hours} h {rest} min")


def _joined(parts: Iterable[Words], zh: str = "，", en: str = ", ") -> Words:
    found = list(parts)
    return Words(zh.join(p.zh for p in found), en.join(p.en for p in found))


def _listed(names: Sequence[str]) -> Words:
    shown, more = list(names[:NAMED]), len(names) - NAMED
    if more <= 0:
        return Words("、".join(shown), ", ".join(shown))
    return Words(f"{'、'.join(shown)} 等 {len(names)} 个", f"{', '.join(shown)} and {more} more")


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
    return _joined(parts)


def _against(spare: timedelta, late_s: int) -> Words:
    if late_s:
        late = span(late_s)
        return Words(f"比承诺晚 {late.zh}", f"{late.en} after the promise")
    early = span(int(spare.total_seconds()) // 60 * 60)
    return Words(f"比承诺早 {early.zh}", f"{early.en} before the promise")


def unserved(day: Day, frozen: Frozen, routes: Sequence[Sequence[int]], job: int) -> Words:
    """Return why nobody is sent to ``job``, the first cause that holds."""
    request = day.requests[job]
    team = [t for t in day.technicians if request.pinned_to in (None, t.id)]
    if not team:
        who = request.pinned_to
        return Words(f"固定的工程师 {who} 不在名单中", f"pinned to {who}, who is not in the team")
    able = [t for t in team if request.family is None or request.family in t.certificates]
    if not able:
        return _nobody_certified(request)
    if job in frozen.refused or not day.allowed[job]:
        return _no_shift(day, request, able) or _pin_refused(day, request)
    alone = [n for n in day.allowed[job] if drive(day, day.duties[n], (job,)) is not None]
    if not alone:
        return _too_long(day, job)
    return _crowded_out(day, routes, job, alone)


def _nobody_certified(request: VisitRequest) -> Words:
    title = family_title(request.family)
    if request.pinned_to is not None:
        return Words(
            f"固定的工程师 {request.pinned_to} 没有{title.zh}资质",
            f"pinned to {request.pinned_to}, who is not certified for {title.en}",
        )
    return Words(f"没有工程师持{title.zh}资质", f"nobody is certified for {title.en}")


def _no_shift(day: Day, request: VisitRequest, able: Sequence[Technician]) -> Words | None:
    """Return why no shift of the certified technicians is possible, None if one is."""
    names = _listed([t.id for t in able])
    ids = {t.id for t in able}
    duties = [d for d in day.duties if d.shift and day.technicians[d.technician].id in ids]
    if not duties:
        return Words(
            f"合格工程师 {names.zh} 没有剩余班次", f"no shift of {names.en}, who could, is left"
        )
    opens = request.pinned_at or request.earliest_at
    in_time = [d for d in duties if opens is None or day.after(opens) < d.end]
    if opens is not None and not in_time:
        start, end = clock_time(day, opens), clock_time(day, day.at(max(d.end for d in duties)))
        return Words(
            f"最早 {start} 才能开始，合格工程师 {names.zh} 的班次最晚 {end} 结束",
            f"cannot begin before {start}; the last shift of {names.en} ends at {end}",
        )
    return None if any(_valid(day, d, request) for d in in_time) else _expired(day, request, able)


def _valid(day: Day, duty: Duty, request: VisitRequest) -> bool:
    """Return whether the certificate still holds on the day of the duty."""
    until = day.technicians[duty.technician].certificates.get(request.family or "")
    if request.family is None or duty.shift is None:
        return True
    return until is not None and duty.shift.end_at.astimezone(day.zone).date() <= until


def _expired(day: Day, request: VisitRequest, able: Sequence[Technician]) -> Words:
    title = family_title(request.family)
    last = max(able, key=lambda t: t.certificates[request.family or ""])
    until = last.certificates[request.family or ""]
    return Words(
        f"{title.zh}资质当日均已过期（{last.id} 至 {until}）",
        f"every certificate for {title.en} has expired by then ({last.id}'s on {until})",
    )


def _pin_refused(day: Day, request: VisitRequest) -> Words:
    who, at = request.pinned_to, clock_time(day, request.pinned_at or day.origin)
    return Words(
        f"固定给 {who} 的 {at} 与其班次、休息或其他固定任务冲突",
        f"pinned to {who} at {at}, which does not fit the shift, a break or another pin",
    )


def _too_long(day: Day, job: int) -> Words:
    """Return how far the technician who comes closest is over the end of the shift."""
    over, number = min((_overrun(day, day.duties[n], job), n) for n in day.allowed[job])
    duty = day.duties[number]
    who, end = day.technicians[duty.technician].id, clock_time(day, day.at(duty.end))
    if over <= 0:
        return Words(
            f"{who} 在 {end} 下班前排不下该任务和休息",
            f"does not fit beside the break of {who} before the shift ends at {end}",
        )
    home = clock_time(day, day.at(duty.end + over))
    return Words(
        f"超出所有合格班次：最接近的 {who} 最早 {home} 返回，班次 {end} 结束",
        f"would end after every qualified shift: {who}, the closest, would be home at {home}, "
        f"the shift ends at {end}",
    )


def _overrun(day: Day, duty: Duty, job: int) -> int:
    begin = max(duty.start + day.times[duty.here][day.place[job]], day.opens[job])
    return begin + day.duration[job] + day.times[day.place[job]][duty.home] - duty.end


def _crowded_out(
    day: Day, routes: Sequence[Sequence[int]], job: int, alone: Sequence[int]
) -> Words:
    """Return which visits have the time of the technicians who could go."""
    able = dict.fromkeys(day.technicians[day.duties[n].technician].id for n in alone)
    names = _listed(list(able))
    there = [other for n in alone for other in routes[n]]
    if not there:
        return Words(
            f"合格工程师 {names.zh} 路程过远，代价高于不派",
            f"{names.en} could go, but the drive costs more than leaving it out",
        )
    urgent = [other for other in there if day.unserved[other] >= day.unserved[job]]
    visits = _listed([day.requests[other].name for other in urgent or there])
    zh, en = ("同等或更紧急的", "visits at least as urgent") if urgent else ("", "other visits")
    return Words(
        f"合格工程师 {names.zh} 的时间已用于{zh} {visits.zh}",
        f"{names.en} could go, but their time goes to {en}: {visits.en}",
    )


def certified_now(day: Day, technician: str, request: VisitRequest, stop: Stop) -> bool:
    """Return whether the technician is certified on the day the visit ends."""
    who = next(t for t in day.technicians if t.id == technician)
    until = who.certificates.get(request.family or "")
    return request.family is None or (
        until is not None and stop.end_at.astimezone(day.zone).date() <= until
    )


def not_certified(request: VisitRequest, technician: str) -> Words:
    """Return the warning that a started visit is made without a certificate."""
    title = family_title(request.family)
    return Words(
        f"{technician} 正在处理 {request.name}，但没有有效的{title.zh}资质",
        f"{technician} has started {request.name} without a valid certificate for {title.en}",
    )


def slipped(request: VisitRequest, stop: Stop) -> bool:
    """Return whether a frozen visit begins after its pinned time."""
    late = stop.start_at - (request.pinned_at or stop.start_at)
    return not request.started and late >= timedelta(seconds=1)


def pin_slipped(day: Day, request: VisitRequest, technician: str, stop: Stop) -> Words:
    """Return the warning that a frozen visit begins later than it was frozen for."""
    pinned = clock_time(day, request.pinned_at or stop.start_at)
    begin = clock_time(day, stop.start_at)
    return Words(
        f"{request.name} 原定 {pinned}，{technician} 最早 {begin} 才能开始",
        f"{request.name} was fixed for {pinned}; {technician} can begin at {begin} at the earliest",
    )


def late(day: Day, request: VisitRequest, technician: str, stop: Stop) -> Words:
    """Return the warning that a contractual promise would be broken."""
    late_by, begin = span(stop.late_s), clock_time(day, stop.start_at)
    return Words(
        f"{request.name} 将晚于合同承诺 {late_by.zh}（{technician}，{begin}）",
        f"{request.name} would be {late_by.en} after its contractual promise "
        f"({technician}, {begin})",
    )


def home_late(day: Day, route: Route) -> Words:
    """Return the warning that a started visit keeps the technician beyond the shift."""
    home = clock_time(day, route.home_at)
    return Words(
        f"{route.technician} 因已开始的任务将于 {home} 才返回，超出班次",
        f"{route.technician} will be home at {home}, outside the shift, "
        "because of a visit already started",
    )

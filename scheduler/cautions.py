"""Cautions: what a dispatcher should know about a plan although it breaks no rule."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from equipment.words import Words
from scheduler.model import Day, certified
from scheduler.phrases import clock_time, family_title, span
from scheduler.plan import Route, Stop, Technician, VisitRequest


def cautions(day: Day, routes: Sequence[Route]) -> Iterator[Words]:
    """Yield late returns, started visits without a certificate, slipped pins, broken promises."""
    requests = {request.id: request for request in day.requests}
    technicians = {technician.id: technician for technician in day.technicians}
    for route in routes:
        who = technicians[route.technician]
        yield from _home_late(day, who, route)
        for stop in route.stops:
            request = requests[stop.request]
            yield from _uncertified(day, request, who, stop)
            yield from _slipped(day, request, who, stop)
            yield from _late(day, request, who, stop)


def _home_late(day: Day, who: Technician, route: Route) -> Iterator[Words]:
    if any(s.start_at <= route.home_at <= s.end_at for s in who.shifts):
        return
    home = clock_time(day, route.home_at)
    yield Words(
        f"{who.name.zh} 因已开始的任务将于 {home} 才返回，超出班次",
        f"{who.name.en} will be home at {home}, outside the shift, "
        "because of a visit already started",
    )


def _uncertified(day: Day, request: VisitRequest, who: Technician, stop: Stop) -> Iterator[Words]:
    if not request.started or certified(day, who, request.family, stop.end_at):
        return
    title = family_title(request.family)
    yield Words(
        f"{who.name.zh} 正在处理 {request.name}，但没有有效的{title.zh}资质",
        f"{who.name.en} has started {request.name} without a valid certificate for {title.en}",
    )


def _slipped(day: Day, request: VisitRequest, who: Technician, stop: Stop) -> Iterator[Words]:
    late = stop.start_at - (request.pinned_at or stop.start_at)
    if request.started or late < timedelta(seconds=1):
        return
    pinned = clock_time(day, stop.start_at - late)
    begin = clock_time(day, stop.start_at)
    yield Words(
        f"{request.name} 原定 {pinned}，{who.name.zh} 最早 {begin} 才能开始",
        f"{request.name} was fixed for {pinned}; {who.name.en} can begin at {begin} "
        "at the earliest",
    )


def _late(day: Day, request: VisitRequest, who: Technician, stop: Stop) -> Iterator[Words]:
    if not stop.late_s or not request.contractual:
        return
    late, begin = span(stop.late_s), clock_time(day, stop.start_at)
    yield Words(
        f"{request.name} 将晚于合同承诺 {late.zh}（{who.name.zh}，{begin}）",
        f"{request.name} would be {late.en} after its contractual promise ({who.name.en}, {begin})",
    )

"""Ticket: one matter of a customer or a device that we owe an answer to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from aftersales.access import Role
from aftersales.journal import Draft, Event, Fact
from aftersales.machine import (
    By,
    Deed,
    Facts,
    Machine,
    NotPermitted,
    Refused,
    Step,
    draft,
    every,
    needs,
)
from aftersales.machine import apply as apply_step
from equipment.device import BadRecord
from equipment.words import Words

KINDS: dict[str, Words] = {
    "fault": Words("报修", "fault report"),
    "preventive": Words("预防性工单", "preventive ticket"),
    "inspection": Words("巡检", "periodic inspection"),
    "inquiry": Words("咨询", "inquiry"),
    "suggestion": Words("建议", "suggestion"),
    "return_visit": Words("回访", "return visit"),
    "key_visit": Words("重点客户走访", "key customer visit"),
    "upgrade": Words("技术升级", "technical upgrade"),
    "installation": Words("安装调试", "installation and commissioning"),
    "return_exchange": Words("退换货", "return or exchange"),
}
ORIGINS: dict[str, Words] = {
    "device": Words("设备信号", "device"),
    "call": Words("来电", "call"),
    "web": Words("网站", "website"),
    "email": Words("邮箱", "e-mail"),
    "letter": Words("来函", "letter"),
    "walk_in": Words("来人", "walk-in"),
    "site_visit": Words("走访", "field visit"),
    "im": Words("即时通讯", "instant message"),
    "plan": Words("计划", "plan"),
}
SEVERITIES: dict[int, Words] = {
    1: Words("紧急", "urgent"),
    2: Words("一般", "normal"),
    3: Words("低", "low"),
}
OUTCOMES: dict[str, Words] = {
    "repaired": Words("已修复", "repaired"),
    "part_replaced": Words("已更换备件", "part replaced"),
    "device_replaced": Words("已更换设备", "device replaced"),
    "adjusted": Words("已调整或校准", "adjusted or calibrated"),
    "maintained": Words("已维护", "maintained"),
    "no_fault_found": Words("未发现故障", "no fault found"),
    "solved_remotely": Words("远程解决", "solved remotely"),
    "answered": Words("已答复", "answered"),
    "recovered": Words("设备自行恢复", "device recovered by itself"),
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One matter. ``severity`` is 1 (highest) to 3; ``reported_at`` when the customer told us.

    ``component`` and ``fault`` are set where a device's fault caused it; ``number`` equals ``id``.
    """

    id: str
    number: str
    kind: str
    origin: str
    site: str
    customer: str
    device: str | None
    component: str | None
    fault: str | None
    title: Words
    severity: int
    state: str
    opened_at: datetime
    reported_at: datetime | None = None
    outcome: str | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not self.site:
            raise BadRecord(f"ticket {self.id}: site is missing")
        if self.kind not in KINDS:
            raise BadRecord(f"ticket {self.id}: kind {self.kind!r} is none of {list(KINDS)}")
        if self.origin not in ORIGINS:
            raise BadRecord(f"ticket {self.id}: origin {self.origin!r} is none of {list(ORIGINS)}")
        if self.severity not in SEVERITIES:
            raise BadRecord(f"ticket {self.id}: severity {self.severity!r} is not 1, 2 or 3")
        if self.state not in TICKET_STATES:
            raise BadRecord(f"ticket {self.id}: state {self.state!r} is none of the known ones")
        if self.outcome is not None and self.outcome not in OUTCOMES:
            raise BadRecord(f"ticket {self.id}: outcome {self.outcome!r} is unknown")


TICKET_STATES: dict[str, Words] = {
    "open": Words("处理中", "open"),
    "resolved": Words("已解决", "resolved"),
    "closed": Words("已关闭", "closed"),
    "cancelled": Words("已取消", "cancelled"),
}
TICKET_EVENTS: dict[str, Deed] = {
    "resolve": Deed("ticket.resolved", Words("解决", "resolve"), sets=("outcome",)),
    "confirm": Deed("ticket.closed", Words("客户确认", "confirm")),
    "lapse": Deed(
        "ticket.closed", Words("逾期无异议，自动关闭", "close without objection"), tells=("lapsed",)
    ),
    "reopen": Deed(
        "ticket.reopened", Words("重新打开", "reopen"), clears=("outcome",), tells=("reason",)
    ),
    "cancel": Deed("ticket.cancelled", Words("取消", "cancel"), tells=("reason",)),
    "merge": Deed("ticket.merged", Words("合并", "merge"), tells=("into",)),
    "withdraw": Deed(
        "ticket.withdrawn", Words("设备恢复，自动撤销", "withdraw, device is well again")
    ),
}

_HELPED = needs("outcome", Words("请先填写处理结果", "say the outcome first"))
_REASON = needs("reason", Words("请填写原因", "give a reason"))


def restored(facts: Facts) -> Words | None:
    """Return what is missing where a fault the customer noticed asks for a restored device."""
    noticed = facts.get("kind") == "fault" or facts.get("reported_at")
    if not noticed or facts.get("kind") not in ("fault", "preventive"):
        return None
    if facts.get("restored") or not facts.get("device"):
        return None
    return Words("设备尚未恢复运行", "the device is not restored yet")


def nobody_left(facts: Facts) -> Words | None:
    """Return what forbids withdrawing: no preventive ticket, a customer's report, a journey."""
    if facts.get("kind") != "preventive":
        return Words("仅预防性工单可自动撤销", "only a preventive ticket is withdrawn by itself")
    if facts.get("reported_at"):
        return Words(
            "客户已报修，不能自动撤销", "the customer reported it: it is not ours to withdraw"
        )
    if facts.get("underway", True):
        return Words("工程师已出发", "a technician is already under way")
    return None


def _roles(codes: str) -> frozenset[Role]:
    return frozenset(Role(code) for code in codes.split())


TICKET = Machine(
    states=TICKET_STATES,
    events=TICKET_EVENTS,
    steps={
        ("open", "resolve"): Step("resolved", every(_HELPED, restored), _roles("TE HA DI AM")),
        ("open", "cancel"): Step("cancelled", _REASON, _roles("HA DI AM")),
        ("open", "merge"): Step(
            "cancelled",
            needs("into", Words("请选择要并入的工单", "say which ticket it becomes part of")),
            _roles("HA DI AM"),
        ),
        ("open", "withdraw"): Step(
            "cancelled",
            every(needs("well", Words("设备尚未恢复", "the device is not well yet")), nobody_left),
            _roles("DV"),
        ),
        ("resolved", "confirm"): Step("closed", None, _roles("CU HA AM")),
        ("resolved", "lapse"): Step(
            "closed",
            needs("lapsed", Words("客户异议期未满", "the customer may still object")),
            _roles("DV"),
        ),
        ("resolved", "reopen"): Step("open", _REASON, _roles("CU HA DI AM")),
        ("closed", "reopen"): Step("open", _REASON, _roles("CU HA DI AM")),
    },
)


def apply(ticket: Ticket, event: str, facts: Facts, by: By) -> tuple[Ticket, Draft]:
    """Return ``ticket`` after ``event``, and its journal entry.

    The guards see the facts and, from the ticket itself, kind, device and reported_at; the outcome
    must come with the facts, so that a reopened ticket needs a new one. Raises Refused.
    """
    known = {"kind": ticket.kind, "device": ticket.device, "reported_at": ticket.reported_at}
    return apply_step(TICKET, ticket, event, {**facts, **known}, by, subject=ticket.id, data={})


def open_ticket(ticket: Ticket, by: By) -> tuple[Ticket, list[Draft]]:
    """Return a new ``ticket`` and its first journal entries.

    A customer's report counts from ``reported_at``, when it reached us, not from when it was
    entered. Raises Refused for a report from the future.
    """
    data: dict[str, Fact] = {
        "kind": ticket.kind,
        "origin": ticket.origin,
        "site": ticket.site,
        "device": ticket.device,
        "component": ticket.component,
        "fault": ticket.fault,
        "severity": ticket.severity,
    }
    at = by._replace(at=ticket.opened_at)
    entries = [draft(at, ticket.id, "ticket.opened", data)]
    if ticket.reported_at is not None:
        report = by._replace(
            at=ticket.reported_at, command_id=by.command_id and f"{by.command_id}.report"
        )
        entries.append(draft(report, ticket.id, "ticket.reported", {"origin": ticket.origin}))
    return ticket, entries


class Happening(NamedTuple):
    """Something that happens to a ticket and leaves its state as it is.

    ``needs`` are the facts the journal entry must carry.
    """

    title: Words
    roles: frozenset[Role]
    needs: tuple[str, ...] = ()


_STAFF = _roles("TE HA DI AM")
_ONSITE = _roles("TE DI AM")
_DESK = _roles("DI AM")
HAPPENINGS: dict[str, Happening] = {
    "ticket.reported": Happening(
        Words("客户报修", "reported by the customer"), _STAFF | _roles("CU OF")
    ),
    "ticket.acknowledged": Happening(Words("人工响应", "answered by a person"), _STAFF),
    "repair.started": Happening(Words("开始检修", "repair started"), _ONSITE, ("visit",)),
    "repair.overran": Happening(Words("检修超过12小时", "repair took over 12 hours"), _roles("DV")),
    "device.restored": Happening(Words("设备恢复", "device restored"), _STAFF),
    "technician.returned": Happening(
        Words("工程师返回", "technician returned"), _ONSITE, ("visit",)
    ),
    "promise.held": Happening(
        Words("计时暂停", "clock held"), _DESK, ("promise", "reason", "consent")
    ),
    "promise.resumed": Happening(Words("计时恢复", "clock resumed"), _DESK, ("promise",)),
    "promise.waived": Happening(
        Words("豁免（客户同意）", "waived (customer consent)"),
        _STAFF,
        ("promise", "consent", "channel"),
    ),
}


def happened(ticket: Ticket, type: str, data: Mapping[str, Fact], by: By) -> tuple[Ticket, Draft]:
    """Return ``ticket`` and the journal entry of one of HAPPENINGS.

    A customer's report sets ``reported_at``, the earliest counting. ``consent`` is the id of the
    contact who agreed or of the call, never a name. Raises Refused.
    """
    happening = HAPPENINGS.get(type)
    if happening is None:
        raise Refused(
            Words(f"未知事件“{type}”", f"{type!r} is not something that happens to a ticket")
        )
    if by.role not in happening.roles:
        raise NotPermitted(
            Words(
                f"该角色无权登记“{happening.title.zh}”",
                f"{happening.title.en!r} is not for {by.role}",
            )
        )
    missing = next((name for name in happening.needs if not data.get(name)), None)
    if missing is not None:
        raise Refused(Words(f"缺少字段 {missing}", f"{missing} is missing"))
    entry = draft(by, ticket.id, type, data)
    if type == "ticket.reported":
        reported_at = min(entry.at, ticket.reported_at or entry.at)
        ticket = replace(ticket, reported_at=reported_at, version=ticket.version + 1)
    return ticket, entry


def rounds(events: Iterable[Event]) -> list[list[Event]]:
    """Return the events of a ticket in the order they happened, cut before each reopening."""
    found: list[list[Event]] = [[]]
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        if event.type == "ticket.reopened":
            found.append([])
        found[-1].append(event)
    return found


def known_from(events: Iterable[Event]) -> dict[str, bool]:
    """Return the facts that the journal knows for the guards: is the device ``restored``."""
    return {"restored": any(event.type == "device.restored" for event in rounds(events)[-1])}

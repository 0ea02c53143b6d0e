"""Visit: one journey of one technician to one ticket, from plan to filed record."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aftersales.access import Role
from aftersales.journal import Draft
from aftersales.machine import By, Deed, Facts, Machine, Step, draft, every, needs
from aftersales.machine import apply as apply_step
from equipment.device import BadRecord
from equipment.words import Words

VISIT_STATES: dict[str, Words] = {
    "planned": Words("已计划", "planned"),
    "offered": Words("已派单", "offered"),
    "accepted": Words("已接单", "accepted"),
    "travelling": Words("在途", "travelling"),
    "on_site": Words("已到场", "on site"),
    "left": Words("已离场", "left"),
    "signed": Words("已签署", "signed"),
    "filed": Words("已存档", "filed"),
    "aborted": Words("未能进入现场", "aborted, no access"),
    "cancelled": Words("已取消", "cancelled"),
}
VISIT_OUTCOMES: dict[str, Words] = {
    "done": Words("已完成", "done"),
    "parts_needed": Words("待备件", "parts needed"),
    "not_solved": Words("未解决，需再次上门", "not solved, another visit needed"),
}
UNDERWAY = frozenset({"travelling", "on_site"})
ENDED = frozenset({"filed", "aborted", "cancelled"})


@dataclass(frozen=True, slots=True)
class Visit:
    """One journey. The window is the planned arrival to the planned end, aware UTC.

    ``pinned`` visits stay with their technician and time whatever the solver would prefer.
    """

    id: str
    ticket: str
    site: str
    technician: str | None = None
    state: str = "planned"
    window_from: datetime | None = None
    window_to: datetime | None = None
    pinned: bool = False
    outcome: str | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if self.state not in VISIT_STATES:
            raise BadRecord(f"visit {self.id}: state {self.state!r} is none of the known ones")
        if self.outcome is not None and self.outcome not in VISIT_OUTCOMES:
            raise BadRecord(f"visit {self.id}: outcome {self.outcome!r} is unknown")
        if self.window_from and self.window_to and self.window_to < self.window_from:
            raise BadRecord(f"visit {self.id}: window_to {self.window_to} is before window_from")


_PLAN = ("technician", "window_from", "window_to", "pinned")
VISIT_EVENTS: dict[str, Deed] = {
    "plan": Deed("visit.planned", Words("计划", "plan"), sets=_PLAN),
    "offer": Deed("visit.offered", Words("派单", "offer"), sets=_PLAN),
    "accept": Deed("visit.accepted", Words("接单", "accept")),
    "refuse": Deed(
        "visit.refused", Words("拒单", "refuse"), clears=("technician",), tells=("reason",)
    ),
    "recall": Deed(
        "visit.recalled", Words("撤回派单", "recall"), clears=("technician",), tells=("reason",)
    ),
    "travel": Deed("visit.travelling", Words("出发", "set off")),
    "arrive": Deed("visit.arrived", Words("到场", "arrive"), tells=("scanned", "reason")),
    "leave": Deed("visit.left", Words("离场", "leave"), sets=("outcome",)),
    "sign": Deed("visit.signed", Words("客户签署", "sign"), tells=("signer", "opinion")),
    "file": Deed("visit.filed", Words("存档", "file"), tells=("record",)),
    "abort": Deed("visit.aborted", Words("无法进入现场", "abort, no access"), tells=("reason",)),
    "cancel": Deed("visit.cancelled", Words("取消", "cancel"), tells=("reason",)),
}

_TECHNICIAN = needs("technician", Words("请先选择工程师", "choose a technician first"))
_FIT = every(
    _TECHNICIAN,
    needs("certified", Words("工程师当日没有该机型的有效证书", "no valid certificate on that day")),
    needs("on_duty", Words("工程师当时不在班", "the technician is not on duty then")),
)
_OUTCOME = needs("outcome", Words("请先填写上门结果", "say the outcome first"))
_REASON = needs("reason", Words("请填写原因", "give a reason"))
_COMPLETE = every(
    needs("checklist", Words("检查表必填项未完成", "the checklist is not complete")),
    needs("tests", Words("测试未完成", "the tests are not complete")),
    needs("opinion", Words("请填写客户意见", "the customer's opinion is missing")),
)


def proven(facts: Facts) -> Words | None:
    """Return what is missing of the proof of arrival: the device's code scanned, or a reason."""
    if facts.get("scanned") or facts.get("reason"):
        return None
    return Words("请扫描设备二维码，或说明原因", "scan the device's code, or say why not")


def _roles(codes: str) -> frozenset[Role]:
    return frozenset(Role(code) for code in codes.split())


_DESK, _ONSITE, _AUTO = _roles("DI AM"), _roles("TE DI AM"), _roles("DI AM DV")

VISIT = Machine(
    states=VISIT_STATES,
    events=VISIT_EVENTS,
    steps={
        ("planned", "plan"): Step("planned", None, _AUTO),
        ("planned", "offer"): Step("offered", _FIT, _AUTO),
        ("planned", "cancel"): Step("cancelled", _REASON, _AUTO),
        ("offered", "accept"): Step("accepted", _FIT, _ONSITE),
        ("offered", "refuse"): Step("planned", _REASON, _ONSITE),
        ("offered", "recall"): Step("planned", _REASON, _AUTO),
        ("offered", "cancel"): Step("cancelled", _REASON, _AUTO),
        ("accepted", "travel"): Step("travelling", None, _ONSITE),
        ("accepted", "recall"): Step("planned", _REASON, _DESK),
        ("accepted", "cancel"): Step("cancelled", _REASON, _AUTO),
        ("travelling", "arrive"): Step("on_site", proven, _ONSITE),
        ("travelling", "abort"): Step("aborted", _REASON, _ONSITE),
        ("travelling", "cancel"): Step("cancelled", _REASON, _DESK),
        ("on_site", "leave"): Step("left", _OUTCOME, _ONSITE),
        ("on_site", "abort"): Step("aborted", _REASON, _ONSITE),
        ("left", "sign"): Step("signed", _COMPLETE, _roles("TE CU")),
        ("signed", "file"): Step("filed", None, _roles("TE AM")),
    },
)


def apply(visit: Visit, event: str, facts: Facts, by: By) -> tuple[Visit, Draft]:
    """Return ``visit`` after ``event``, and its journal entry, whose subject is the ticket.

    ``certified`` and ``on_duty`` are for the desk to find out (see ``team``). Raises Refused.
    """
    known: Facts = {"technician": visit.technician, **facts}
    told = {"visit": visit.id, "technician": known["technician"]}
    return apply_step(VISIT, visit, event, known, by, subject=visit.ticket, data=told)


def plan_visit(visit: Visit, by: By) -> tuple[Visit, list[Draft]]:
    """Return a new ``visit`` and its first journal entry."""
    data = {
        "visit": visit.id,
        "technician": visit.technician,
        "window_from": visit.window_from.isoformat() if visit.window_from else None,
        "window_to": visit.window_to.isoformat() if visit.window_to else None,
        "pinned": visit.pinned,
    }
    return visit, [draft(by, visit.ticket, "visit.planned", data)]


def stage(visits: Iterable[Visit]) -> str:
    """Return how far the visits of a ticket got: the state of the furthest one still going on."""
    order = list(VISIT_STATES)
    going = [visit.state for visit in visits if visit.state not in ENDED]
    return max(going, key=order.index, default="unassigned")

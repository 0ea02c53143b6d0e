"""The journal in words: what each event type is called on a ticket's timeline."""

from aftersales.ticket import HAPPENINGS, TICKET_EVENTS
from aftersales.visit import VISIT_EVENTS
from equipment.words import Words

EVENT_TITLES: dict[str, Words] = {
    "ticket.opened": Words("工单建立", "ticket opened"),
    "ticket.resolved": Words("已解决", "resolved"),
    "ticket.closed": Words("已关闭", "closed"),
    "ticket.reopened": Words("重新打开", "reopened"),
    "ticket.cancelled": Words("已取消", "cancelled"),
    "ticket.merged": Words("已并入其他工单", "merged into another ticket"),
    "ticket.withdrawn": Words("设备恢复，工单撤销", "withdrawn, device well again"),
    "visit.planned": Words("上门已计划", "visit planned"),
    "visit.offered": Words("已派单", "visit offered"),
    "visit.accepted": Words("工程师已接单", "visit accepted"),
    "visit.refused": Words("工程师拒单", "visit refused"),
    "visit.recalled": Words("派单已撤回", "offer recalled"),
    "visit.travelling": Words("工程师已出发", "technician on the way"),
    "visit.arrived": Words("工程师已到场", "technician arrived"),
    "visit.left": Words("工程师已离场", "technician left"),
    "visit.signed": Words("客户已签署", "record signed"),
    "visit.filed": Words("记录已存档", "record filed"),
    "visit.aborted": Words("未能进入现场", "visit aborted, no access"),
    "visit.cancelled": Words("上门已取消", "visit cancelled"),
    **{type: happening.title for type, happening in HAPPENINGS.items()},
}


def types() -> frozenset[str]:
    """Return every event type that a ticket's machines and happenings write."""
    deeds = [*TICKET_EVENTS.values(), *VISIT_EVENTS.values()]
    return frozenset({"ticket.opened", *HAPPENINGS, *(deed.type for deed in deeds)})

"""Quarantined: a message that was acknowledged but not believed, kept with the reason."""

from dataclasses import dataclass
from datetime import datetime

from equipment.words import Words

REASONS: dict[str, Words] = {
    "malformed": Words("格式错误", "malformed"),
    "not_a_number": Words("不是数值", "not a number"),
    "unknown_metric": Words("未知信号", "unknown metric"),
    "wrong_unit": Words("单位不符", "wrong unit"),
    "future_time": Words("时间超前", "time in the future"),
    "foreign_topic": Words("主题不属于发送方", "topic not the sender's own"),
    "oversize": Words("报文过大", "oversize"),
    "unknown_device": Words("未登记设备", "unknown device"),
}


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused message. ``why`` names the wrong part; ``payload`` is cut to 4 KiB."""

    id: str
    at: datetime
    reason: str
    why: str
    topic: str
    sender: str | None
    payload: bytes
    size: int

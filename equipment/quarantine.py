"""Quarantined: a message that was acknowledged but not believed, kept whole with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from equipment.words import Words

REASONS: dict[str, Words] = {
    "malformed": Words("格式错误", "malformed"),
    "not_a_number": Words("不是数值", "not a number"),
    "unknown_metric": Words("未知信号", "unknown metric"),
    "ambiguous_metric": Words("信号重复", "ambiguous metric"),
    "wrong_unit": Words("单位不符", "wrong unit"),
    "future_time": Words("时间超前", "time in the future"),
    "foreign_topic": Words("主题不属于发送方", "topic not the sender's own"),
    "oversize": Words("报文过大", "oversize"),
    "unborn": Words("未经上线声明", "not declared at birth"),
    "unknown_device": Words("未登记设备", "unknown device"),
    "unforeseen": Words("程序未能处理", "not foreseen by the program"),
}
DISCARDS: dict[str, Words] = {
    "test": Words("测试报文", "sent as a test"),
    "not_needed": Words("无需保留", "not needed"),
    "not_ours": Words("不是我们的设备", "not one of our devices"),
    "damaged": Words("内容已损坏", "damaged beyond repair"),
}
OUTCOMES: dict[str, Words] = {
    "stored": Words("已入库", "stored"),
    "duplicate": Words("重复，已有相同报文", "duplicate, it is stored already"),
    "refused": Words("仍被拒收", "still refused"),
    "gone": Words("已不在隔离区", "no longer in quarantine"),
}
REPLAY_STATES: dict[str, Words] = {
    "waiting": Words("等待采集程序", "waiting for the collector"),
    "running": Words("正在重放", "running"),
    "done": Words("已完成", "done"),
}
IDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused message. ``why`` names the wrong parts; ``reason`` is the first of them.

    ``payload`` is all of it up to the size limit of messages; ``size`` is what it had. ``ledger``
    says how the ledger of ``device`` has it: empty for not at all, ``refused`` when its number was
    not taken, ``numbered`` when it was, ``part`` when the rest of the message is stored.
    """

    id: str
    at: datetime
    reason: str
    why: str
    topic: str
    sender: str | None
    payload: bytes
    size: int
    device: str = ""
    ledger: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all of the payload was kept."""
        return len(self.payload) == self.size


class Result(NamedTuple):
    """What became of one message that was replayed: see OUTCOMES; why it is still refused."""

    id: str
    outcome: str
    reason: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """A wish to take messages out of quarantine and through the intake again.

    Either ``ids``, or all with ``reason`` and of ``device`` (empty: any) up to id ``until``.
    ``upto`` is the last one dealt with; ``results`` has the newest ones, at most IDS_AT_ONCE.
    """

    id: str
    asked_at: datetime
    by: str
    ids: tuple[str, ...] = ()
    reason: str = ""
    device: str = ""
    until: str = ""
    total: int = 0
    state: str = "waiting"
    upto: str = ""
    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    gone: int = 0
    results: tuple[Result, ...] = ()
    done_at: datetime | None = None

    @property
    def done(self) -> int:
        """How many messages were dealt with."""
        return self.stored + self.duplicate + self.refused + self.gone


def counted(replay: Replay, results: Sequence[Result]) -> Replay:
    """Return ``replay`` after ``results``; those it has counted already change nothing."""
    fresh = [one for one in results if one.id > replay.upto]
    counts = {
        outcome: getattr(replay, outcome) + sum(one.outcome == outcome for one in fresh)
        for outcome in OUTCOMES
    }
    return replace(
        replay,
        **counts,
        results=(*replay.results, *fresh)[-IDS_AT_ONCE:],
        upto=max([replay.upto, *(one.id for one in fresh)]),
    )

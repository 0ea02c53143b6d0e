"""Mapped: how something that a device sends is to be understood, as a person has taught it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from equipment.catalog import DeviceModel
from equipment.units import WrongUnit, check_unit, conversion
from equipment.words import Words

KINDS: dict[str, Words] = {
    "metric": Words("信号名称", "name of a metric"),
    "unit": Words("单位写法", "way to write a unit"),
    "values": Words("数值的实际单位", "unit that values really have"),
    "device": Words("设备编号", "id of a device"),
    "site": Words("院区编号", "id of a site"),
}
OF_METRICS = ("metric", "unit", "values")
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_LONGEST = 60


class WrongMapping(ValueError):
    """A mapping that cannot be meant: ``field`` is wrong; ``reason`` says so, with its value."""

    def __init__(self, field: str, reason: Words) -> None:
        super().__init__(f"{field}: {reason.en}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Mapped:
    """``sent`` means ``means``, for one ``device``, all devices of a ``model``, or everywhere.

    A ``metric`` that means nothing (empty) is ignored. ``unit`` is about a unit as declared at
    birth, ``values`` about the metric called ``sent``, whatever it was declared in. ``version``
    counts its changes, which are in the journal.
    """

    id: str
    kind: str
    sent: str
    means: str
    model: str
    device: str
    by: str
    at: datetime
    version: int = 1


def mapping_id(kind: str, sent: str, model: str, device: str) -> str:
    """Return the id of the one mapping that says what ``sent`` means there."""
    key = "\0".join((sent, model, device)).encode(errors="replace")
    return f"{kind}-{hashlib.sha256(key).hexdigest()[:16]}"


def of_device(rows: Iterable[Mapped], device: str, model: str) -> tuple[Mapped, ...]:
    """Return the ``rows`` about metrics that hold for ``device``; its own beat its model's."""
    found: dict[tuple[str, str], Mapped] = {}
    for row in sorted(rows, key=lambda row: (row.device != "", row.id)):
        if row.kind in OF_METRICS and (row.device == device or (row.model == model != "")):
            found[row.kind, row.sent] = row
    return tuple(found.values())


def of_ids(rows: Iterable[Mapped], kind: str) -> dict[str, str]:
    """Return the aliases of ``kind`` (device or site): as sent -> as registered."""
    return {row.sent: row.means for row in rows if row.kind == kind}


@dataclass(frozen=True, slots=True)
class Register:
    """What a mapping may speak of: the models, device id -> model code, and the sites."""

    models: Mapping[str, DeviceModel]
    devices: Mapping[str, str]
    sites: frozenset[str]


def check(row: Mapped, register: Register, others: Sequence[Mapped] = ()) -> None:
    """Raise WrongMapping unless ``row`` can be meant, given the ``others`` that hold."""
    _check_texts(row)
    if row.kind in ("device", "site"):
        _check_alias(row, register)
        return
    model = _model(row, register)
    if row.kind == "metric":
        _check_metric(row, model)
    elif row.kind == "unit":
        _check_code("means", row.means)
    else:
        _check_values(row, model, of_device([*others], row.device, model.code))


def _wrong(field: str, value: str, zh: str, en: str) -> WrongMapping:
    return WrongMapping(field, Words(f"“{value}”{zh}", f"{value!r} {en}"))


def _check_texts(row: Mapped) -> None:
    if row.kind not in KINDS:
        raise _wrong(
            "kind", row.kind, f"应为 {'、'.join(KINDS)} 之一", f"is none of {', '.join(KINDS)}"
        )
    for field, text in (("sent", row.sent), ("means", row.means)):
        if len(text) > _LONGEST:
            raise _wrong(
                field, text[:_LONGEST], f"超过 {_LONGEST} 个字符", f"is longer than {_LONGEST}"
            )
        if not text.isprintable():
            raise _wrong(
                field, ascii(text)[1:-1], "含有不可显示的字符", "has characters that cannot be seen"
            )
    if not row.sent:
        raise _wrong("sent", "", "不能为空", "is empty")
    if not row.means and row.kind != "metric":
        raise _wrong("means", "", "不能为空", "is empty")
    if row.sent == row.means and row.kind != "values":
        raise _wrong("means", row.means, "与发送内容相同", "is what was sent already")


def _check_alias(row: Mapped, register: Register) -> None:
    known = register.devices if row.kind == "device" else register.sites
    for field, value in (("model", row.model), ("device", row.device)):
        if value:
            raise _wrong(
                field, value, "编号映射不限定型号或设备", "is given, but an id means one everywhere"
            )
    if not _ID.match(row.sent):
        raise _wrong("sent", row.sent, "不是有效的编号", "is not 1-40 of A-Z a-z 0-9 _ -")
    if row.sent in known:
        raise _wrong("sent", row.sent, "已登记，不能作为别名", "is registered itself")
    if row.means not in known:
        raise _wrong("means", row.means, "未登记", "is not registered")


def _model(row: Mapped, register: Register) -> DeviceModel:
    if bool(row.model) == bool(row.device):
        raise _wrong(
            "device", row.device, "型号与设备须且只能填一个", "and model: exactly one is needed"
        )
    if row.device and row.device not in register.devices:
        raise _wrong("device", row.device, "未登记", "is not registered")
    code = row.model or register.devices[row.device]
    if code not in register.models:
        raise _wrong("model", code, "不在型号目录中", "is not in the catalogue")
    return register.models[code]


def _check_metric(row: Mapped, model: DeviceModel) -> None:
    if row.means and model.metric(row.means) is None:
        raise _wrong(
            "means",
            row.means,
            f"不是 {model.code} 目录中的信号",
            f"is not in the catalogue of {model.code}",
        )


def _check_code(field: str, code: str) -> None:
    try:
        check_unit(code)
    except WrongUnit as error:
        raise WrongMapping(field, Words(f"“{code}”不是 UCUM 单位", str(error))) from error


def _check_values(row: Mapped, model: DeviceModel, others: Sequence[Mapped]) -> None:
    names = {one.sent: one.means for one in others if one.kind == "metric"}
    metric = model.metric(names.get(row.sent, row.sent))
    if metric is None:
        raise _wrong("sent", row.sent, f"不是 {model.code} 的信号", f"is no metric of {model.code}")
    _check_code("means", row.means)
    try:
        conversion(row.means, metric.unit)
    except WrongUnit as error:
        wrong = Words(f"“{row.means}”不能换算为 {metric.unit}", str(error))
        raise WrongMapping("means", wrong) from error

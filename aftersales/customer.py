"""The customer file: organisations we serve, buy from or are."""

from dataclasses import dataclass

from equipment.device import BadRecord
from equipment.words import Words

KINDS: dict[str, Words] = {
    "customer": Words("客户", "customer"),
    "manufacturer": Words("厂家", "manufacturer"),
    "own": Words("供应商", "supplier"),
    "partner": Words("合作单位", "partner"),
}
TIERS: dict[str, Words] = {
    "normal": Words("普通客户", "customer"),
    "key": Words("重点客户", "key customer"),
}


@dataclass(frozen=True, slots=True)
class Organization:
    """A hospital, a manufacturer, ourselves or a partner; ``kind`` and ``tier`` as above."""

    id: str
    title: Words
    kind: str = "customer"
    tier: str = "normal"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadRecord(f"organization {self.id}: kind {self.kind!r} is none of {list(KINDS)}")
        if self.tier not in TIERS:
            raise BadRecord(f"organization {self.id}: tier {self.tier!r} is none of {list(TIERS)}")

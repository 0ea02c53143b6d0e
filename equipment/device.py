"""Device and Site: what stands where."""

from dataclasses import dataclass

from equipment.words import Words


class BadRecord(ValueError):
    """A record that cannot be right; the text names the field and the value."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place of a customer: one hospital campus. Coordinates are WGS-84 degrees."""

    id: str
    customer: str
    title: Words
    latitude: float
    longitude: float
    zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise BadRecord(f"site {self.id}: latitude {self.latitude} is outside -90..90")
        if not -180 <= self.longitude <= 180:
            raise BadRecord(f"site {self.id}: longitude {self.longitude} is outside -180..180")


@dataclass(frozen=True, slots=True)
class Device:
    """One installed analyser: its serial, its model and the site it stands at."""

    id: str
    site: str
    model: str
    serial: str
    department: Words = Words("检验科", "laboratory")

"""Register: model and site of a device, read from the records when somebody first asks."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from equipment.device import Device
from storage.interface import Records


class Standing(NamedTuple):
    """What device it is, and at which site it stands."""

    model: str
    site: str


Register = Callable[[str], Standing]
UNKNOWN: Final = Standing("other", "-")


def by_model(register: Register, devices: Iterable[str]) -> dict[str, list[str]]:
    """Return ``devices`` by their models, in the order given."""
    found: dict[str, list[str]] = {}
    for device in devices:
        found.setdefault(register(device).model, []).append(device)
    return found


class RecordedDevices:
    """Answers from memory; a device that is not known yet, or any more, is looked up each time."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, Standing] = {}

    def __call__(self, device: str) -> Standing:
        """Return where ``device`` stands, UNKNOWN for one that is on no record."""
        known = self._known.get(device)
        if known is None:
            with self._records.read() as work:
                found = work.shelf(Device).get(device)
            if found is None:
                return UNKNOWN
            known = self._known[device] = Standing(found.model, found.site)
        return known

"""The ledger, read from what a collector has set down: received, stored, duplicate, quarantined."""

from collections.abc import Mapping

import msgspec

from equipment.sequence import Tally, take_up
from storage.interface import Telemetry


def ledgers(telemetry: Telemetry) -> dict[str, Tally] | None:
    """Return the ledger of every device as of the newest batch, None where nothing was set down.

    Messages that were refused as a whole since the last checkpoint are not counted yet.
    """
    checkpoint = telemetry.checkpoint()
    kept: Mapping[str, list[object]] = {}
    if checkpoint is not None:
        kept = msgspec.msgpack.decode(checkpoint.state)["intake"]["tallies"]
    found = {device: Tally.restored(state) for device, state in kept.items()}
    for batch in telemetry.batches(checkpoint.upto if checkpoint else 0):
        take_up(found, batch)
    return found or None

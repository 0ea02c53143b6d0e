"""Quarantine: messages are looked at, replayed once they are understood, or discarded."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from aftersales.access import Role
from aftersales.journal import Fact
from aftersales.machine import By, Refused, draft
from desk.arrival import Again, Arrival
from desk.intake import Intake, Registered
from desk.office import Office
from desk.sorted import Sorted
from desk.tickets import UnknownRecord
from equipment.catalog import MODELS, DeviceModel
from equipment.device import Device
from equipment.mapped import Mapped, of_ids
from equipment.quarantine import DISCARDS, IDS_AT_ONCE, Quarantined, Replay, Result, counted
from equipment.reading import Batch, Note, Reading
from equipment.words import Words
from storage.interface import Work

OPEN_AT_ONCE = 20
REPLAYS_KEPT = 200
READINGS_SHOWN = 200
_PARCEL, _PARCEL_BYTES = 200, 4 * 1024 * 1024
_OPEN = ["waiting", "running"]


def ask_replay(
    office: Office, by: By, *, ids: Sequence[str] = (), reason: str = "", device: str = ""
) -> Replay:
    """Put on record that messages shall be replayed: ``ids``, or all with ``reason`` of ``device``.

    The collector takes it up within seconds. Raises Refused when too much is asked at once.
    """
    if len(ids) > IDS_AT_ONCE:
        says = Words(f"一次最多 {IDS_AT_ONCE} 条", f"at most {IDS_AT_ONCE} messages at once")
        raise Refused(says)
    with office.records.begin() as work:
        if len(open_replays(work)) >= OPEN_AT_ONCE:
            raise Refused(Words("待重放任务过多，请稍后再试", "too many replays wait already"))
        _forget_old(work)
        newest = work.shelf(Quarantined).find(limit=1, newest_first=True)
        asked = Replay(
            id=f"R-{work.next_number('replay'):08d}",
            asked_at=by.now,
            by=by.actor,
            ids=tuple(sorted(set(ids))),
            reason=reason,
            device=device,
            until=newest[0].id if newest else "",
            total=len(set(ids)) or work.shelf(Quarantined).count(**_equals(reason, device)),
        )
        work.shelf(Replay).put(asked)
        facts: dict[str, Fact] = {"reason": reason, "device": device, "total": asked.total}
        work.journal.append(draft(by, asked.id, "quarantine.replay_asked", facts))
    return asked


def _equals(reason: str, device: str) -> dict[str, Any]:
    wanted = {"reason": reason, "device": device}
    return {name: value for name, value in wanted.items() if value}


def _forget_old(work: Work) -> None:
    shelf = work.shelf(Replay)
    for old in shelf.find(state="done", limit=max(0, shelf.count(state="done") - REPLAYS_KEPT)):
        shelf.remove(old.id)


def open_replays(work: Work) -> list[Replay]:
    """Return the replays that are not done, oldest first."""
    return list(work.shelf(Replay).find(state=_OPEN))


def next_parcel(office: Office, id: str, elsewhere: Container[str] = ()) -> list[Arrival] | None:
    """Return the next messages of a replay for the intake, None when it is done.

    What is no longer there, was not kept whole, or is of a device that is heard ``elsewhere`` - by
    another collector, whose numbers and units are not known here - is counted at once.
    """
    with office.records.begin() as work:
        replay = work.shelf(Replay).get(id)
        if replay is None or replay.state == "done":
            return None
        found, settled = _next(work, replay, elsewhere)
        replay = replace(counted(replay, settled), state="running")
        if not found and not settled:
            replay = replace(replay, state="done", done_at=office.now())
            facts: dict[str, Fact] = {
                name: getattr(replay, name) for name in ("stored", "duplicate", "refused")
            }
            by = By(replay.by, Role.DV, office.now())
            work.journal.append(draft(by, id, "quarantine.replayed", facts))
        work.shelf(Replay).put(replay)
    if replay.state == "done":
        return None
    return [_arrival(one, id) for one in found]


def _next(
    work: Work, replay: Replay, elsewhere: Container[str]
) -> tuple[list[Quarantined], list[Result]]:
    """Return the next messages, or the next that cannot be replayed: whichever comes first."""
    found: list[Quarantined] = []
    settled: list[Result] = []
    size = 0
    for id, one in _pending(work, replay):
        result = _hopeless(id, one, elsewhere)
        if (found and result) or (settled and not result) or size > _PARCEL_BYTES:
            break
        if result:
            settled.append(result)
        elif one:
            found.append(one)
            size += one.size
    return found, settled


def _pending(work: Work, replay: Replay) -> list[tuple[str, Quarantined | None]]:
    shelf = work.shelf(Quarantined)
    if replay.ids:
        ids = [id for id in replay.ids if id > replay.upto][:_PARCEL]
        there = {one.id: one for one in shelf.find(id=ids)}
        return [(id, there.get(id)) for id in ids]
    equals = _equals(replay.reason, replay.device)
    some = shelf.find(after=replay.upto, limit=_PARCEL, **equals)
    return [(one.id, one) for one in some if one.id <= replay.until]


def _hopeless(id: str, one: Quarantined | None, elsewhere: Container[str]) -> Result | None:
    if one is None:
        return Result(id, "gone")
    if not one.is_whole:
        why = f"only {len(one.payload)} of its {one.size} bytes were kept"
        return Result(id, "refused", one.reason, why)
    if one.device in elsewhere:
        why = f"another collector hears {one.device}: replay the messages of that device"
        return Result(id, "refused", one.reason, why)
    return None


def _arrival(one: Quarantined, replay: str) -> Arrival:
    again = Again(one.id, one.at, one.ledger, replay)
    return Arrival(one.sender, one.topic, one.payload, again=again)


def discard(office: Office, by: By, ids: Sequence[str], reason: str) -> int:
    """Remove messages for good; return how many were there. They stay counted in the ledgers.

    ``reason`` is one of DISCARDS. Raises Refused.
    """
    if reason not in DISCARDS or len(ids) > IDS_AT_ONCE:
        codes = ", ".join(DISCARDS)
        zh = f"原因应为 {codes} 之一，一次最多 {IDS_AT_ONCE} 条"
        en = f"the reason is one of {codes}; at most {IDS_AT_ONCE} messages at once"
        raise Refused(Words(zh, en))
    with office.records.begin() as work:
        there = work.shelf(Quarantined).find(id=list(ids), limit=IDS_AT_ONCE)
        for one in there:
            work.shelf(Quarantined).remove(one.id)
            facts = {"reason": reason, "was": one.reason, "device": one.device}
            work.journal.append(draft(by, one.id, "quarantine.discarded", facts))
    return len(there)


class Preview(NamedTuple):
    """What a message would become; ``refused`` is what would still be wrong with it."""

    device: str
    readings: Sequence[Reading]
    notes: Sequence[Note]
    refused: Quarantined | None


def preview(
    office: Office,
    id: str,
    mapped: Sequence[Mapped],
    models: Mapping[str, DeviceModel] = MODELS,
) -> Preview:
    """Return what the quarantined message ``id`` would become if ``mapped`` held, and only that.

    It goes the way of a live message, as far as the decision. Raises UnknownRecord.
    """
    with office.records.read() as work:
        one = work.shelf(Quarantined).get(id)
        if one is None:
            raise UnknownRecord(f"message {id!r} is not in quarantine")
        device = work.shelf(Device).get(of_ids(mapped, "device").get(one.device, one.device))
    known = {device.id: Registered(device.model, device.site)} if device else {}
    intake = Intake({d: r for d, r in known.items() if r.model in models}, models)
    intake.understand(mapped)
    if device is not None:
        at_ms = int(one.at.timestamp() * 1000)
        births = office.telemetry.notes(device.id, 0, at_ms + 1, ["birth"])
        intake.remember(Batch([], births[-1:]))
    fresh = replace(one, ledger="numbered" if one.ledger else "")
    sorted_ = intake.sort([_arrival(fresh, "")], office.now())
    return _previewed(device.id if device else "", sorted_)


def _previewed(device: str, sorted_: Sorted) -> Preview:
    readings = [reading for block in sorted_.blocks for reading in block.readings()]
    (decided,) = sorted_.again.values()
    return Preview(device, readings[:READINGS_SHOWN], sorted_.notes, decided.refused)

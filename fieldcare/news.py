"""News: what other processes put on record reaches a running collector within seconds.

One look at the journal's tail a second tells whether anything happened. Devices that are new,
mappings that were taught, credentials that changed and replays that were asked for are taken up
by the thread that looks; messages come out of quarantine a parcel at a time, the committer's way.
"""

import logging
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from aftersales.journal import Event
from collector.committer import Committer, Parcel
from collector.shard import Shard
from desk.ingest import Ingest
from desk.intake import Registered
from desk.mappings import mappings
from desk.office import Office
from desk.quarantine import next_parcel, open_replays
from equipment.credential import Credential
from equipment.device import Device
from storage.interface import Work

log = logging.getLogger(__name__)
EVERY_S = 1.0
_MANY = 1_000_000
_PAGE = 1000
_TAKEN_UP = ("device.", "mapping.", "credential.", "quarantine.")
Cut = Callable[[str, bool], None]  # a user, and whether its session goes too


class OnRecord(NamedTuple):
    """The devices of one collector: those at its sites, and of these the ones it understands.

    ``elsewhere`` are those of other collectors.
    """

    here: dict[str, Registered]
    heard: dict[str, Registered]
    elsewhere: set[str]


def on_record(work: Work, share: Shard, models: Container[str]) -> OnRecord:
    """Return what devices there are for the collector with this ``share`` of the sites."""
    here: dict[str, Registered] = {}
    elsewhere: set[str] = set()
    for device in work.shelf(Device).find(limit=_MANY):
        if share.has(device.site):
            here[device.id] = Registered(device.model, device.site)
        else:
            elsewhere.add(device.id)
    heard = {id: one for id, one in here.items() if one.model in models}
    return OnRecord(here, heard, elsewhere)


class News:
    """Looks at the journal from a thread, and tells the ingest, the listener and the committer."""

    def __init__(
        self,
        office: Office,
        ingest: Ingest,
        committer: Committer,
        cut: Cut,
        *,
        models: Container[str],
        known: Mapping[str, Registered],
        share: Shard,
        hear: Callable[[], None],
    ) -> None:
        """The ``ingest`` has the ``known`` devices; it hears of all that are others or follow.

        Of several collectors each hears of its ``share`` of the sites. Replays are taken up by the
        collector of the device that is named, by the first one where none is or nobody's: that one
        leaves alone what is of another collector's device. ``hear`` is called when devices have
        changed, to listen at new sites too.
        """
        self._office, self._ingest, self._committer = office, ingest, committer
        self._models, self._share, self._cut, self._hear = models, share, cut, hear
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)
        self._cuts: dict[str, datetime] = {}  # when an old secret stops to hold
        self._replays: list[str] = []
        self._under_way = False
        self._elsewhere: set[str] = set()  # devices that another collector hears
        self.known = known
        with office.records.read() as work:
            self._head = work.journal.head()
            self._take_up_devices(work)
            self._ingest.understand(mappings(work))
            self._take_up_replays(work)
            for kept in work.shelf(Credential).find(limit=_MANY):
                if kept.former is not None and kept.former.until > office.now():
                    self._cuts[kept.id] = kept.former.until

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def replaying(self) -> bool:
        """Whether messages are still to come out of quarantine."""
        return bool(self._replays)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; a parcel that is under way is kept by the committer."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def kept(self, receipts: Sequence[Any]) -> None:
        """Go on with the next parcel; called by the committer."""
        self._under_way = False

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            try:
                self.look()
                wait_s = 0.02 if self.replay_some() else EVERY_S
            except Exception:
                log.exception("news could not be taken up; they are tried again")
                wait_s = EVERY_S

    def look(self) -> None:
        """Take up what was put on record since the last look."""
        now = self._office.now()
        for user in [user for user, at in self._cuts.items() if at <= now]:
            del self._cuts[user]
            self._cut(user, False)
        with self._office.records.read() as work:
            news = work.journal.after(self._head, _PAGE)
            told = [event for event in news if event.type.startswith(_TAKEN_UP)]
            if told:
                self._take_up(work, told)
        if news:
            self._head = news[-1].id

    def _take_up(self, work: Work, told: Sequence[Event]) -> None:
        kinds = {event.type.partition(".")[0] for event in told}
        if "device" in kinds:
            self._take_up_devices(work)
        if "mapping" in kinds:
            rows = mappings(work)
            self._ingest.understand(rows)
            log.info("mappings taken up", extra={"mappings": len(rows)})
        if "quarantine" in kinds:
            self._take_up_replays(work)
        lost = (e for e in told if e.type == "credential.revoked" or e.data.get("replaces"))
        for user in dict.fromkeys(event.subject for event in lost):
            self._take_up_credential(work, user)

    def _take_up_devices(self, work: Work) -> None:
        _, found, self._elsewhere = on_record(work, self._share, self._models)
        for id, registered in found.items():
            if self.known.get(id) != registered:
                self._ingest.register(id, registered)
        for id in self.known.keys() - found.keys():  # gone, or moved to the share of another
            self._ingest.forget(id)
        self.known = found
        self._hear()

    def _take_up_replays(self, work: Work) -> None:
        asked = open_replays(work)
        if not self._share.whole:
            first = self._share.number == 1
            asked = [
                r for r in asked
                if r.device in self.known or (first and r.device not in self._elsewhere)
            ]  # fmt: skip
        self._replays = [replay.id for replay in asked]

    def _take_up_credential(self, work: Work, user: str) -> None:
        kept = work.shelf(Credential).get(user)
        if kept is not None and kept.former is not None and kept.former.until > self._office.now():
            self._cuts[user] = kept.former.until
        else:
            self._cuts.pop(user, None)
            self._cut(user, kept is None)

    def replay_some(self) -> bool:
        """Hand in the next parcel out of quarantine; return whether more may follow soon."""
        if self._under_way or not self._replays:
            return self._under_way
        arrivals = next_parcel(self._office, self._replays[0], self._elsewhere)
        if arrivals is None:
            log.info("replay done", extra={"replay": self._replays.pop(0)})
        elif arrivals:
            self._under_way = True
            size = sum(len(arrival.payload) for arrival in arrivals)
            self._committer.put(Parcel(self, arrivals, size))
        return True

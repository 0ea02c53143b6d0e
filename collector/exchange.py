"""The exchange: who is subscribed to what, what is retained, and who gets a letter.

It decides when a packet arrives and hands out two lists: what the mailbox must keep, and what may
be sent once it has. Nothing in here waits, reads or writes. Source: MQTT 5.0 sections 3.3, 3.8, 4.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collector.admission import Limits, Principal
from collector.fields import Property, Reason, properties
from collector.packets import Publish, Wanted
from collector.session import Delivery, Session, stored_properties
from collector.topics import Tree, filter_is_valid, matches
from desk.arrival import Arrival
from equipment.sparkplug import is_hosts, is_sparkplug
from equipment.wire import PAYLOAD_LIMIT, ROOT
from storage.mailbox import (
    Box,
    Change,
    Client,
    Letter,
    Queued,
    Retained,
    SessionGone,
)

log = logging.getLogger(__name__)

_ROUTES_CACHED = 200_000
_NOT_OWN, _AS_PUBLISHED = 4, 8  # bits of the options; QoS is bit 0
_ID_SHIFT = 8  # above the options byte: the client's own number for the subscription, 0 for none
_DROPPED_TOLD = 1000
_PASSED_ON = (
    Property.PAYLOAD_FORMAT,
    Property.CONTENT_TYPE,
    Property.RESPONSE_TOPIC,
    Property.CORRELATION,
    Property.USER,
)


class Subscriber(NamedTuple):
    """A session behind one of its filters, with the options and the id of the subscription."""

    session: Session
    options: int


@dataclass(slots=True)
class Effects:
    """What follows from packets: for the desk, for the mailbox, and for subscribers afterwards."""

    arrivals: list[Arrival] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class Exchange:
    """Sessions, subscriptions and retained letters of all clients."""

    def __init__(self, box: Box, limits: Limits, now: float) -> None:
        self.limits = limits
        self.sessions: dict[Client, Session] = {}
        self.retained = box.retained
        self._mortal = {t for t, letter in box.retained.items() if letter.expires_at}
        self._retained_of: dict[str, dict[str, None]] = {}  # speaker -> topics
        for topic in box.retained:
            self._retained_of.setdefault(_speaker(topic), {})[topic] = None
        self._retained_bytes = sum(len(letter.payload) for letter in box.retained.values())
        self.epoch = 0  # grows when what was known about topics of devices is void
        self._of_user: dict[str, dict[Client, Session]] = {}
        self._tree: Tree[Subscriber] = Tree()
        self._routes: dict[str, tuple[Subscriber, ...]] = {}
        for kept in box.sessions.values():
            session = Session(kept.client, kept.expiry_s)
            session.gone_at, session.stored = now, True
            session.restore(box.waiting.get(kept.client, {}))
            self._add(session)
            for wanted, options in kept.filters:
                self._subscribe(session, wanted, options)

    # -- sessions

    def _add(self, session: Session) -> None:
        self.sessions[session.client] = session
        self._of_user.setdefault(session.client.user, {})[session.client] = session

    def open(
        self, client: Client, *, clean: bool, expiry_s: int, most: int, effects: Effects
    ) -> tuple[Session, bool] | None:
        """Return the client's session and whether it was there before.

        None when its user has ``most`` sessions already, all of them connected.
        """
        session = self.sessions.get(client)
        if session is not None and (clean or session.expiry_s == 0):
            self.end(session, effects)
            session = None
        present = session is not None
        if session is None:
            if not self._make_room(client.user, most, effects):
                return None
            session = Session(client)
            self._add(session)
        changed, session.expiry_s = session.expiry_s != expiry_s, expiry_s
        if changed:
            self.keep(session, effects)
        return session, present

    def keep(self, session: Session, effects: Effects) -> None:
        """Have the mailbox know how the session is now."""
        session.stored = True
        effects.changes.append(session.kept)

    def _make_room(self, user: str, most: int, effects: Effects) -> bool:
        """End the session that was left alone for longest, of the user or of all, if it must be."""
        among = self._of_user.get(user, {})
        if len(among) < most:
            if len(self.sessions) < self.limits.sessions:
                return True
            among = self.sessions
        absent = [session for session in among.values() if session.connection is None]
        if absent:
            self.end(min(absent, key=lambda session: session.gone_at), effects)
        return bool(absent)

    def end(self, session: Session, effects: Effects) -> None:
        """Forget the session and the letters that wait for it."""
        session.ended = True
        for wanted, options in session.filters.items():
            self._tree.remove(wanted, Subscriber(session, options))
            self._changed(wanted)
        if self.sessions.get(session.client) is session:
            del self.sessions[session.client]
            mine = self._of_user[session.client.user]
            del mine[session.client]
            if not mine:
                del self._of_user[session.client.user]
            if session.stored:
                effects.changes.append(SessionGone(session.client))

    def sessions_of(self, user: str) -> tuple[Session, ...]:
        """Return the sessions that ``user`` has."""
        return tuple(self._of_user.get(user, {}).values())

    def expired(self, now: float) -> Iterator[Session]:
        """Yield the sessions whose client stayed away for too long."""
        for session in self.sessions.values():
            if session.connection is None and session.gone_at + session.expiry_s <= now:
                yield session

    # -- subscriptions

    def subscribe(
        self, session: Session, wanted: Wanted, principal: Principal, id: int, effects: Effects
    ) -> int:
        """Subscribe and return the granted QoS, or the reason why not; ``changed`` is to follow.

        ``id`` is the client's own number for it, 0 for none.
        """
        reason = self._refusal(session, wanted, principal)
        if reason is not None:
            return reason
        options = min(wanted.qos, 1) | wanted.not_own << 2 | wanted.as_published << 3
        options |= id << _ID_SHIFT
        fresh = wanted.filter not in session.filters
        self._subscribe(session, wanted.filter, options)
        if wanted.handling == 0 or (wanted.handling == 1 and fresh):
            for letter in self._retained_for(wanted.filter):
                self._deliver(session, _tagged(letter, [id] if id else []), options & 1, effects)
        return options & 1

    def _refusal(self, session: Session, wanted: Wanted, principal: Principal) -> Reason | None:
        if wanted.filter.startswith("$share/"):
            return Reason.SHARED
        if not filter_is_valid(wanted.filter):
            return Reason.BAD_FILTER
        if not principal.may_subscribe(wanted.filter):
            return Reason.NOT_AUTHORIZED
        if len(session.filters) >= self.limits.filters and wanted.filter not in session.filters:
            return Reason.QUOTA
        return None

    def _subscribe(self, session: Session, wanted: str, options: int) -> None:
        old = session.filters.get(wanted)
        if old == options:
            return
        if old is not None:
            self._tree.remove(wanted, Subscriber(session, old))
        session.filters[wanted] = options
        self._tree.add(wanted, Subscriber(session, options))
        self._changed(wanted)

    def unsubscribe(self, session: Session, wanted: str) -> int:
        """Undo a subscription and return the reason code; ``changed`` is to follow."""
        options = session.filters.pop(wanted, None)
        if options is None:
            return Reason.NO_SUBSCRIPTION
        self._tree.remove(wanted, Subscriber(session, options))
        self._changed(wanted)
        return Reason.SUCCESS

    def changed(self, session: Session, effects: Effects) -> None:
        """Have the mailbox know the subscriptions of a session that is kept."""
        if session.expiry_s:
            self.keep(session, effects)

    def _changed(self, wanted: str) -> None:
        if not is_request(wanted):  # a device that comes or goes makes nobody think again
            self.epoch += 1
            self._routes.clear()

    def _retained_for(self, wanted: str) -> list[Letter]:
        if "+" not in wanted and "#" not in wanted:
            exact = self.retained.get(wanted)
            return [] if exact is None else [exact]
        speaker = _speaker(wanted)
        if speaker not in (wanted, "+", "#"):  # a device that asks takes no look at all others
            mine = self._retained_of.get(speaker, ())
            return [self.retained[topic] for topic in mine if matches(wanted, topic)]
        fixed = wanted.split("+", 1)[0].split("#", 1)[0]
        found = (t for t in self.retained if t.startswith(fixed) or t + "/" == fixed)
        return [self.retained[topic] for topic in found if matches(wanted, topic)]

    # -- letters

    def route(self, topic: str) -> tuple[Subscriber, ...]:
        """Return who is subscribed to ``topic``."""
        route = self._routes.get(topic)
        if route is None:
            if is_request(topic):
                return tuple(self._tree.find(topic))
            if len(self._routes) >= _ROUTES_CACHED:
                self._routes.clear()
            route = self._routes[topic] = tuple(self._tree.find(topic))
        return route

    def take(
        self,
        message: Publish,
        principal: Principal,
        by: Session | None,
        *,
        now: float,
        effects: Effects,
    ) -> int:
        """Take in a message and return the reason code to acknowledge it with.

        The desk gets all of them, also those it will put aside: of a foreign topic, oversize.
        """
        asked_by_device = is_request(message.topic) and principal.device is not None
        own = not asked_by_device and principal.may_publish(message.topic)
        if not (own and is_request(message.topic)):
            payload = message.payload[: PAYLOAD_LIMIT + 1]
            sender = principal.sender(message.topic)
            effects.arrivals.append(Arrival(sender, message.topic, payload))
        if not own:
            return Reason.NOT_AUTHORIZED
        if len(message.payload) > PAYLOAD_LIMIT:
            return Reason.QUOTA
        self.post(_letter(message, now), by, effects)
        return Reason.SUCCESS

    def pass_on(self, arrivals: Iterable[Arrival], by: Session, effects: Effects) -> None:
        """Hand plain messages of QoS 1 on to who is subscribed."""
        for _, topic, payload, _, _ in arrivals:
            if self.route(topic):
                self.post(Letter(topic, payload, 1), by, effects)

    def post(self, letter: Letter, by: Session | None, effects: Effects) -> None:
        """Retain the letter if it says so, and hand it to everybody who is subscribed."""
        if letter.retain:
            self._retain(letter, effects)
        best: dict[Session, int] = {}
        ids: dict[Session, list[int]] = {}
        for session, options in self.route(letter.topic):
            if not (options & _NOT_OWN and session is by):
                best[session] = best.get(session, 0) | options & 0xFF
                if options >> _ID_SHIFT:
                    ids.setdefault(session, []).append(options >> _ID_SHIFT)
        for session, options in best.items():
            sent = letter
            if letter.retain and not options & _AS_PUBLISHED:
                sent = letter._replace(retain=False)
            if session in ids:
                sent = _tagged(sent, ids[session])
            self._deliver(session, sent, options & 1, effects)

    def _retain(self, letter: Letter, effects: Effects) -> None:
        topic, speaker = letter.topic, _speaker(letter.topic)
        old = self.retained.get(topic)
        if old is None and not letter.payload:
            return
        grows = len(letter.payload) - (len(old.payload) if old else 0)
        if letter.payload and not self._may_retain(speaker, old is None, grows):
            log.warning("not retained, too much is already", extra={"topic": topic[:200]})
            return
        self._mortal.discard(topic)
        if letter.payload:
            self.retained[topic] = letter
            if letter.expires_at:
                self._mortal.add(topic)
        else:
            del self.retained[topic]
        self._retained_bytes += grows
        mine = self._retained_of.setdefault(speaker, {})
        if letter.payload:
            mine[topic] = None
        else:
            del mine[topic]
        if not mine:
            del self._retained_of[speaker]
        effects.changes.append(Retained(letter))

    def outlived(self, now: float, effects: Effects) -> None:
        """Retain no longer what has expired by ``now``, wall clock, s."""
        for topic in [t for t in self._mortal if self.retained[t].expires_at <= now]:
            self._retain(Letter(topic, b""), effects)

    def _may_retain(self, speaker: str, new: bool, grows: int) -> bool:
        most = self.limits
        if self._retained_bytes + grows > most.retained_bytes:
            return False
        few = len(self._retained_of.get(speaker, ())) < most.retained_each
        return not new or (few and len(self.retained) < most.retained)

    def _deliver(self, session: Session, letter: Letter, qos: int, effects: Effects) -> None:
        if letter.qos > qos:
            letter = letter._replace(qos=qos)
        if not letter.qos:
            if session.connection is not None:
                effects.deliveries.append(Delivery(session, 0, letter))
            return
        if session.connection is None and not session.expiry_s:
            return
        number = session.number(letter, self.limits)
        if number is None:
            if session.dropped % _DROPPED_TOLD == 1:
                facts = {"client": session.client.id[:100], "dropped": session.dropped}
                log.warning("letter dropped, too many wait for its client", extra=facts)
            return
        if session.expiry_s:
            effects.changes.append(Queued(session.client, number, letter))
        effects.deliveries.append(Delivery(session, number, letter))


def is_request(topic: str) -> bool:
    """Return whether ``topic`` carries requests to a device, which the desk sends, not takes."""
    if topic.endswith("/cmd"):
        return topic.startswith(ROOT + "/")
    return is_sparkplug(topic) and is_hosts(topic)


def _tagged(letter: Letter, ids: list[int]) -> Letter:
    """Return the letter with the numbers of the subscriptions it is delivered for."""
    if not ids:
        return letter
    values: dict[int, Any] = dict(stored_properties(letter.properties).items())
    values[Property.SUBSCRIPTION_ID] = tuple(ids)
    return letter._replace(properties=properties(values))


def _speaker(topic: str) -> str:
    """Return the device or edge node of a topic or filter; itself where it is nobody's."""
    levels = topic.split("/", 4)
    ours = topic.startswith(ROOT + "/") or is_sparkplug(topic)
    return levels[3] if ours and len(levels) >= 4 else topic


def _letter(message: Publish, now: float) -> Letter:
    passed = {int(p): message.properties[p] for p in _PASSED_ON if p in message.properties}
    encoded = properties(passed) if passed else b""
    lasts_s = message.properties.get(Property.MESSAGE_EXPIRY)
    expires_at = now + lasts_s if lasts_s is not None else 0.0
    topic, payload, qos = message.topic, message.payload, min(message.qos, 1)
    return Letter(topic, payload, qos, message.retain, encoded, expires_at)

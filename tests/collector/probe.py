"""The probe: what clients that others wrote observe, on mosquitto and on our endpoint.

``PROBES`` are functions from a server, a device's name and an MQTT version to what was observed.
``DIFFERENCES`` says where we differ on purpose, and why; docs/mqtt-endpoint.md shows the same.

    python -m tests.collector.probe

prints what every probe observes on mosquitto, and what it does on ours where that differs.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt

from tests.collector import probe_both as both
from tests.collector import probe_five as five
from tests.collector import probe_programs as programs
from tests.collector.probe_clients import V5, V311, Server, ours, theirs

Probe = Callable[[Server, str, str], Any]
_AT_ONCE = 8

BOTH: tuple[Probe, ...] = (
    both.messages_come_in_order,
    both.the_lower_qos_holds,
    both.qos_2_is_granted,
    both.overlapping_filters_deliver,
    both.a_foreign_topic_is_refused,
    both.a_foreign_subscription,
    both.a_message_nobody_waits_for,
    both.unsubscribing,
    both.what_is_too_large,
    both.a_session_waits,
    both.what_was_not_acknowledged_comes_again,
    both.a_second_connection_takes_over,
    both.the_last_word_is_told,
    both.wills,
    both.a_will_at_a_take_over,
    both.a_wrong_password,
    both.silence,
    both.nonsense,
    programs.mosquitto_pub_and_sub,
    programs.mosquitto_pub_with_a_wrong_password,
    programs.aiomqtt_publishes_and_hears,
)
ONLY_5: tuple[Probe, ...] = (
    five.properties_are_passed_on,
    five.a_topic_by_its_number,
    five.subscriptions_with_ids,
    five.own_messages,
    five.retained_as_asked,
    five.what_expired_is_not_delivered,
    five.the_end_of_a_session,
    five.put_off_wills,
    five.a_goodbye_with_the_will,
    five.no_more_than_it_takes,
    five.nothing_larger_than_it_takes,
    five.the_welcome,
    five.other_authentication,
    five.shared_subscriptions,
    programs.mosquitto_rr_gets_its_answer,
)
PROBES: tuple[tuple[Probe, str], ...] = (
    *((probe, version) for probe in BOTH for version in (V311, V5)),
    *((probe, V5) for probe in ONLY_5),
    (programs.a_plain_http_request, V311),
    (both.a_restart, V311),  # the last ones: everybody else has to be done
    (both.a_restart, V5),
)
DEVICES = [f"P{number:02d}" for number in range(len(PROBES))]


class Difference(NamedTuple):
    """Where the two differ on purpose: what is seen on each, and why ours is as it is."""

    probe: Probe
    version: str
    theirs: Any
    ours: Any
    because: str


class OneOf(tuple[Any, ...]):
    """Equal to each of its members: mosquitto's last word is not always heard."""

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        return other in tuple(self)


_QOS = "a letter is acknowledged once and delivered at least once, which keys and numbers allow"
_SEVERAL = "one copy is enough; it carries the id of every subscription that matches"
_SAYS_NO = "a subscription that can never deliver is refused, not granted and kept silent"
_PASSWORD = "3.1.1 has a code of its own for a wrong password, so has MQTT 5"
_GOODBYE = "whoever is let go is told why"
DIFFERENCES: tuple[Difference, ...] = (
    *(
        Difference(
            both.qos_2_is_granted, version, (2, [(b"x", 2, False)]), (1, [(b"x", 1, False)]), _QOS
        )
        for version in (V311, V5)
    ),
    Difference(
        both.overlapping_filters_deliver,
        V5,
        [(b"x", 1, False)] * 3,
        [(b"x", 1, False)],
        _SEVERAL,
    ),
    *(
        Difference(
            both.a_foreign_subscription,
            version,
            ([1, 1], 1, {b"yours"}),
            ([refused, refused], 1, {b"yours"}),
            _SAYS_NO,
        )
        for version, refused in ((V311, 0x80), (V5, 0x87))
    ),
    Difference(
        both.a_message_nobody_waits_for,
        V5,
        [0x10],
        [0],
        "the desk waits for every message, whoever else is subscribed",
    ),
    Difference(
        both.a_second_connection_takes_over, V5, (OneOf((0x80, 0x8E)), 1), (0x8E, 1), _GOODBYE
    ),
    *(
        Difference(both.a_wrong_password, version, (False, 0x87), (False, 0x86), _PASSWORD)
        for version in (V311, V5)
    ),
    Difference(programs.mosquitto_pub_with_a_wrong_password, V311, 5, 4, _PASSWORD),
    Difference(programs.mosquitto_pub_with_a_wrong_password, V5, 0x87, 0x86, _PASSWORD),
    Difference(both.silence, V5, (OneOf((None, 0x8D)), True), (0x8D, True), _GOODBYE),
    Difference(
        both.nonsense,
        V5,
        [0x81, 0x82, 0x81, 0x81, None, 0x82],
        [0x81, 0x82, 0x81, 0x81, 0x82, 0x82],
        _GOODBYE,
    ),
    Difference(
        five.the_welcome,
        V5,
        {
            "AssignedClientIdentifier": True,
            "ServerKeepAlive": 600,
            "ReceiveMaximum": True,
            "TopicAliasMaximum": 10,
            "MaximumPacketSize": 1 << 20,
        },
        {
            "AssignedClientIdentifier": True,
            "ServerKeepAlive": 600,
            "ReceiveMaximum": True,
            "TopicAliasMaximum": 10,
            "MaximumPacketSize": 1 << 20,
            "SessionExpiryInterval": 30 * 24 * 3600,
            "SharedSubscriptionAvailable": 0,
        },
        "a client that asks for an endless session is told that it gets 30 days",
    ),
    Difference(
        five.shared_subscriptions,
        V5,
        1,
        0x9E,
        "shared subscriptions spread one device over all workers, which mixes up its order",
    ),
    Difference(
        both.a_restart,
        V5,
        (OneOf((0x80, 0x8B)), (True, 0), [(b"waits", 1, False)], [(b"stays", 1, True)]),
        (0x8B, (True, 0), [(b"waits", 1, False)], [(b"stays", 1, True)]),
        _GOODBYE,
    ),
)


def observations(server: Server) -> list[Any]:
    """Return what every probe observes on ``server``; an error is an observation too."""

    def one(probe: Probe, version: str, device: str) -> Any:
        try:
            return probe(server, device, version)
        except (AssertionError, OSError, aiomqtt.MqttError, subprocess.TimeoutExpired) as error:
            return f"{type(error).__name__}: {error}"

    plans = [(*plan, device) for plan, device in zip(PROBES, DEVICES, strict=True)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        seen = list(pool.map(lambda plan: one(*plan), plans[:-2]))
    return seen + [one(*plan) for plan in plans[-2:]]


def main() -> None:
    """Print what both observe."""
    seen = []
    for start in (theirs, ours):
        with tempfile.TemporaryDirectory() as folder, start(Path(folder), DEVICES) as server:
            seen.append(observations(server))
    for (probe, version), them, us in zip(PROBES, *seen, strict=True):
        differs = "" if them == us else f"\n   OURS: {us}"
        sys.stdout.write(f"{probe.__name__} {version}: {them}{differs}\n")


if __name__ == "__main__":
    main()

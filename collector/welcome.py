"""What a CONNECT asks for, and what it gets."""

from typing import Any

from collector.admission import Limits
from collector.fields import Property, Reason
from collector.packets import V5, Connack, Connect


def refusal(connect: Connect, limits: Limits) -> Reason | None:
    """Return why this CONNECT cannot be served, None if it can."""
    nameless = not connect.client and not connect.clean and connect.version != V5
    if nameless or len(connect.client) > limits.client_id:
        return Reason.BAD_CLIENT_ID
    if Property.AUTH_METHOD in connect.properties:
        return Reason.BAD_AUTH_METHOD
    return None


def session_s(connect: Connect, limits: Limits) -> int:
    """Return for how long the session outlives the connection, s."""
    if connect.version == V5:
        asked: int = connect.properties.get(Property.SESSION_EXPIRY, 0)
        return min(asked, limits.session_s)
    return 0 if connect.clean else limits.session_s


def keep_alive_s(connect: Connect, limits: Limits) -> int:
    """Return the keep-alive, s; only a client of MQTT 5 can be told another than it asked for."""
    if connect.version != V5:
        return connect.keep_alive_s
    return min(connect.keep_alive_s or limits.keep_alive_s, limits.keep_alive_s)


def window(connect: Connect, limits: Limits) -> int:
    """Return how many letters may be in flight to the client."""
    asked: int = connect.properties.get(Property.RECEIVE_MAXIMUM, limits.inflight)
    return min(limits.inflight, asked)


def answer(connect: Connect, limits: Limits, *, client: str, present: bool) -> Connack:
    """Return the welcome: what is offered here, and where it differs from what was asked."""
    if connect.version != V5:
        return Connack(present)
    values: dict[int, Any] = {
        Property.RECEIVE_MAXIMUM: limits.receive_maximum,
        Property.MAXIMUM_PACKET: limits.packet,
        Property.ALIAS_MAXIMUM: limits.aliases,
        Property.SHARED_AVAILABLE: 0,
    }
    if not connect.client:
        values[Property.ASSIGNED_CLIENT] = client
    if session_s(connect, limits) != connect.properties.get(Property.SESSION_EXPIRY, 0):
        values[Property.SESSION_EXPIRY] = session_s(connect, limits)
    if keep_alive_s(connect, limits) != connect.keep_alive_s:
        values[Property.SERVER_KEEP_ALIVE] = keep_alive_s(connect, limits)
    return Connack(present, 0, values)

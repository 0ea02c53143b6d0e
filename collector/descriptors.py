"""Descriptors: a connection needs one, and the system lends a process only so many."""

import logging
from typing import Final

try:
    import resource
except ImportError:  # a system without such limits
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_OTHERS: Final = 200  # files of the stores, the pages, what the libraries open


def room_for(connections: int) -> int:
    """Return how many of ``connections`` can be open at a time, having asked for all of them.

    The process's soft limit is raised as far as its hard limit allows. Where that is not enough an
    error in the log says what to set.
    """
    if resource is None:
        return connections
    wanted = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    room = max(wanted - _OTHERS, 1)
    if room < connections:
        facts = {"connections": connections, "room": room, "limit_nofile": hard}
        log.error("fewer devices can connect than wanted: raise LimitNOFILE", extra=facts)
    return room

"""Logs: one JSON object a line for machines, one plain line for people at a terminal.

A line is one event: nothing that a device or a person sends can begin another, or hide one. What
says the same again and again is said at first, then once a minute with how often.
"""

import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_LONGEST = 2000
AT_ONCE, EVERY_S = 10, 60.0
_SAYINGS = 1000


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "at": at,
            "level": record.levelname,
            "from": record.name,
            "what": record.getMessage(),
        }
        line |= _facts(record)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False, default=str)
        return text.encode(errors="backslashreplace").decode()


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={_shown(value)}" for name, value in _facts(record).items())
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        line = f"{at} {record.levelname.lower():7} {_shown(record.getMessage())} {facts}".rstrip()
        if record.exc_info:
            trace = self.formatException(record.exc_info).encode(errors="backslashreplace").decode()
            return f"{line}\n{trace}"
        return line


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts = {name: value for name, value in vars(record).items() if name not in _OWN}
    return {name: _cut(value) for name, value in facts.items()}


def _cut(value: object) -> object:
    """Return text that is not too long; numbers as they are."""
    if isinstance(value, int | float | bool | None):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(value: object) -> str:
    """Return ``value`` without anything that could begin a line or steer a terminal."""
    text = str(value)
    return text if text.isprintable() else ascii(text)[1:-1]


class Sparing(logging.Filter):
    """Lets the same saying through AT_ONCE times, then once in EVERY_S with how often it was held.

    The same is: from the same place, at the same level, whatever its facts. Errors with a trace are
    held too. At most 1,000 sayings are remembered.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._seen: OrderedDict[tuple[str, int, str], list[float]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write ``record``."""
        if record.levelno <= logging.DEBUG:
            return True
        now = self._monotonic()
        key = (record.name, record.levelno, str(record.msg))
        began, said, held = self._seen.setdefault(key, [now, 0, 0])
        self._seen.move_to_end(key)
        if len(self._seen) > _SAYINGS:
            self._seen.popitem(last=False)
        if now - began >= EVERY_S:
            began, said = now, AT_ONCE - 1 if held else 0  # one, if it is still at it
        if said >= AT_ONCE:
            self._seen[key] = [began, said, held + 1]
            return False
        self._seen[key] = [began, said + 1, 0]
        if held:
            record.repeated = int(held)
        return True


def set_up(*, quiet: bool = False) -> None:
    """Log to standard error: plain at a terminal, JSON into a pipe; ``quiet`` leaves warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain() if sys.stderr.isatty() else _Json())
    handler.addFilter(Sparing())
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("uvicorn.access", "alembic", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""Instants as ms UTC, the way the wire writes them, and as aware datetimes."""

from datetime import UTC, date, datetime, time, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def ms_of(at: datetime | date) -> int:
    """Return ms UTC of an aware datetime, or of the first instant of a UTC day."""
    moment = at if isinstance(at, datetime) else datetime.combine(at, time(), tzinfo=UTC)
    return (moment - _EPOCH) // _MS


def at_of(at_ms: int) -> datetime:
    """Return the aware UTC datetime of ms UTC."""
    return _EPOCH + at_ms * _MS

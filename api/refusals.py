"""What the API takes and answers about refused messages, mappings and replays."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.shapes import Bilingual, Id, Page, Shape

_Sent = Annotated[str, StringConstraints(max_length=60)]
_Whom = Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Za-z0-9_-]*$")]


class QuarantinedShape(Shape):
    """A refused message. ``payload`` is text, bytes that are none shown as \\xNN.

    Lists have the first 2,000 characters of it.
    """

    id: str
    at: datetime
    reason: str
    reason_title: Bilingual
    why: str
    topic: str
    sender: str | None
    payload: str
    size: int


class MetricName(Shape):
    """A metric of a model, its name in both languages and its UCUM unit."""

    name: str
    title: Bilingual
    unit: str


class QuarantinedPage(QuarantinedShape):
    """A refused message with all of its payload, and what can be taught about it.

    ``wrong`` are the keys of the payload that the reason speaks of; ``metrics`` those of the
    device's model, empty for a device that is not registered.
    """

    device: str
    model: str | None
    whole: bool
    wrong: list[str]
    metrics: list[MetricName]
    devices: list[str]
    kinds: dict[str, Bilingual]
    discards: dict[str, Bilingual]


class MappingRequest(Shape):
    """What ``sent`` means: of kind metric, unit or values for a model or a device, or an id."""

    kind: Annotated[str, StringConstraints(pattern="^[a-z]{1,20}$")]
    sent: _Sent
    means: _Sent
    model: _Whom = ""
    device: _Whom = ""


class MappingShape(Shape):
    """A mapping that holds, who taught it and when; ``version`` counts its changes."""

    id: str
    kind: str
    kind_title: Bilingual
    sent: str
    means: str
    model: str
    device: str
    by: str
    by_title: Bilingual
    at: datetime
    version: int


class PreviewRequest(Shape):
    """A mapping to try on a message, none to see what it would become as things are."""

    mapping: MappingRequest | None = None


class ReadingShape(Shape):
    """One value of one metric at one instant."""

    metric: str
    title: Bilingual
    unit: str
    at: datetime
    value: float


class PreviewShape(Shape):
    """What a message would become; ``refused`` is what would still be wrong, null for nothing."""

    device: str
    readings: list[ReadingShape]
    notes: int
    refused: str | None


class ReplayRequest(Shape):
    """Which messages: ``ids``, or all with ``reason`` and of ``device``."""

    ids: Annotated[list[Id], Field(max_length=1000)] = Field(default_factory=list)
    reason: Annotated[str, StringConstraints(pattern="^[a-z_]{0,40}$")] = ""
    device: _Whom = ""


class ResultShape(Shape):
    """What became of one message."""

    id: str
    outcome: str
    outcome_title: Bilingual
    reason: str
    why: str


class ReplayShape(Shape):
    """How far a replay has come; ``results`` has the newest ones."""

    id: str
    state: str
    state_title: Bilingual
    asked_at: datetime
    by: str
    total: int
    done: int
    stored: int
    duplicate: int
    refused: int
    gone: int
    results: list[ResultShape]


class DiscardRequest(Shape):
    """Messages to remove for good, and a code of why."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    reason: Annotated[str, StringConstraints(pattern="^[a-z_]{1,40}$")]


class Discarded(Shape):
    """How many messages were removed."""

    discarded: int


class QuarantinePage(Page[QuarantinedShape]):
    """Refused messages, newest first, and how many there are of each reason."""

    counts: dict[str, int]
    titles: dict[str, Bilingual]

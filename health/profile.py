"""Profile: which rules a device model gets, with typed parameters, read from YAML."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from equipment.catalog import MODELS, DeviceModel, Metric
from equipment.words import Words
from health.alarm import STATE_OF, Severity
from health.document import Part, read
from health.parameter import Parameter, WrongParameter, duration, spread
from health.rules import RULES
from health.rules.rule import Rule
from health.state import STATES

KINDS: dict[str, type[Rule]] = {rule.kind: rule for rule in RULES}
_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+\Z", re.IGNORECASE)
DEFAULT_MUTE_MS = 30 * 60_000
DEFAULT_GAP_MS = 5 * 60_000
_NOISE = (Parameter("noise", spread),)
_FIELDS = ("model", "version", "bucket", "mute", "gap", "rules", "title", "family", "metrics")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule on one metric. Parameters are numbers: ms, or the metric's unit."""

    id: str
    kind: str
    metric: str
    severity: Severity
    state: str
    parameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one device model.

    ``model`` is the catalogue's, or the profile's own when it lists ``metrics``. ``bucket_ms`` is
    how long readings are averaged before trends and baselines see them, ``mute_ms`` how long the
    rules look away after maintenance, ``gap_ms`` the longest silence that still counts as covered
    (three sampling periods where those are longer). ``digest`` changes with every word of the file.
    """

    model: DeviceModel
    version: int
    bucket_ms: int
    mute_ms: int
    gap_ms: int
    rules: tuple[RuleRow, ...]
    digest: str

    @property
    def name(self) -> str:
        """How alarms cite it, such as CHEM/1."""
        return f"{self.model.code}/{self.version}"

    def step_ms(self, metric: Metric) -> int:
        """Return the time between two values that bucket rules see of ``metric``."""
        return step_ms(self.bucket_ms, metric)


def step_ms(bucket_ms: int, metric: Metric) -> int:
    """Return the bucket length, or the sampling period where that is longer than half a bucket."""
    every_ms = round(metric.every_s * 1000)
    return every_ms if 2 * every_ms > bucket_ms else bucket_ms


def load(text: str, name: str) -> Profile:
    """Read a profile; ``name`` is the file's, for errors.

    Raises ProfileError, whose text names file, line and field.
    """
    root = read(text, name)
    root.only(*_FIELDS)
    model = _model(root)
    bucket_ms = round(_duration(root.field("bucket")))
    if bucket_ms < 1:
        raise root.field("bucket").error("must be longer than 0")
    mute_ms = _span(root, "mute", DEFAULT_MUTE_MS)
    gap_ms = _span(root, "gap", DEFAULT_GAP_MS)
    rules: list[RuleRow] = []
    for part in root.field("rules").rows():
        row = _rule(part, model, bucket_ms)
        if any(row.id == other.id for other in rules):
            raise part.error(f"id {row.id} is taken by an earlier rule")
        rules.append(row)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Profile(
        model, root.field("version").whole(), bucket_ms, mute_ms, gap_ms, tuple(rules), digest
    )


def _rule(part: Part, model: DeviceModel, bucket_ms: int) -> RuleRow:
    part.only("id", "metric", "severity", "state", *KINDS)
    kinds = [kind for kind in KINDS if kind in part.items()]
    if len(kinds) != 1:
        raise part.error(f"must have exactly one of {', '.join(KINDS)}")
    kind, named = kinds[0], part.field("metric")
    metric = model.metric(named.text())
    if metric is None:
        raise named.error(f"{model.code} has no metric {named.text()!r}")
    severity = _severity(part)
    given = part.field(kind)
    parameters = _parameters(given, KINDS[kind].asked(), metric.unit)
    why = KINDS[kind].objection(parameters, step_ms(bucket_ms, metric))
    if why is not None:
        raise given.error(why)
    state = _state(part, STATE_OF[severity])
    return RuleRow(
        _id(part, f"{metric.name}.{kind}"), kind, metric.name, severity, state, parameters
    )


def _id(part: Part, default: str) -> str:
    named = part.items().get("id")
    if named is None:
        return default
    if not _ID.match(named.text()):
        raise named.error(f"{named.text()!r} is not like wash_vacuum.trend")
    return named.text()


def _severity(part: Part) -> Severity:
    named = part.field("severity")
    if named.text() not in tuple(Severity):
        raise named.error(f"{named.text()!r} is none of {', '.join(Severity)}")
    return Severity(named.text())


def _state(part: Part, default: str) -> str:
    named = part.items().get("state")
    if named is None:
        return default
    if named.text() not in STATES:
        raise named.error(f"{named.text()!r} is none of {', '.join(STATES)}")
    return named.text()


def _parameters(part: Part, asked: tuple[Parameter, ...], unit: str) -> dict[str, float]:
    part.only(*(parameter.name for parameter in asked))
    parameters: dict[str, float] = {}
    for parameter in asked:
        written = part.items().get(parameter.name)
        if written is not None:
            try:
                parameters[parameter.name] = parameter.read(written.value, unit)
            except WrongParameter as error:
                raise written.error(str(error)) from error
        elif parameter.default is not None:
            parameters[parameter.name] = parameter.default
        else:
            raise part.error(f"field {parameter.name} is missing")
    return parameters


def _span(root: Part, name: str, default_ms: int) -> int:
    part = root.items().get(name)
    return default_ms if part is None else round(_duration(part))


def _duration(part: Part) -> float:
    try:
        return duration(part.value)
    except WrongParameter as error:
        raise part.error(str(error)) from error


def _model(root: Part) -> DeviceModel:
    code = root.field("model").text()
    if "metrics" not in root.items():
        if code not in MODELS:
            raise root.field("model").error(f"{code!r} is not in the catalogue: list its metrics")
        return MODELS[code]
    if code in MODELS:
        raise root.field("metrics").error(f"{code} has its metrics in the catalogue")
    metrics = tuple(_metric(part) for part in root.field("metrics").rows())
    if len({metric.name for metric in metrics}) != len(metrics):
        raise root.field("metrics").error("a metric is listed twice")
    family = root.items()["family"].text() if "family" in root.items() else code.lower()
    return DeviceModel(code, family, 1, _title(root, code), metrics)


def _metric(part: Part) -> Metric:
    part.only("name", "unit", "component", "title", "every", "noise")
    name, unit = part.field("name").text(), part.field("unit").text()
    noise = 0.0
    if "noise" in part.items():
        noise = _parameters(
            Part({"noise": part.field("noise")}, part.file, part.line, part.path), _NOISE, unit
        )["noise"]
    return Metric(
        name, unit, part.field("component").text(), _title(part, name), 0.0, noise,
        every_s=_duration(part.field("every")) / 1000,
    )  # fmt: skip


def _title(part: Part, default: str) -> Words:
    title = part.items().get("title")
    if title is None:
        return Words(default, default)
    if isinstance(title.value, str):
        return Words(title.text(), title.text())
    title.only("zh", "en")
    return Words(title.field("zh").text(), title.field("en").text())


def _shipped() -> dict[str, Profile]:
    folder = files("health") / "profiles"
    texts = ((code, folder / f"{code.lower()}.yaml") for code in MODELS)
    return {code: load(path.read_text("utf-8"), path.name) for code, path in texts}


SHIPPED: dict[str, Profile] = _shipped()

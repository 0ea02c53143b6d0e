"""Builder: points as lines, escaped the way InfluxDB writes them."""

from collections.abc import Mapping

Value = float | int | bool | str


def line(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time: int | None
) -> str:
    """Return a point as one line; an int is written as an integer, a negative or not."""
    series = [_escaped(measurement, ", ")]
    series += [f"{_escaped(key, ',= ')}={_escaped(tag, ',= ')}" for key, tag in tags.items()]
    values = (f"{_escaped(key, ',= ')}={_value(value)}" for key, value in fields.items())
    return " ".join([",".join(series), ",".join(values), *([] if time is None else [str(time)])])


def _escaped(name: str, special: str) -> str:
    return "".join(f"\\{letter}" if letter in special else letter for letter in name)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

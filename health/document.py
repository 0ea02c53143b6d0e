"""A YAML document whose every part knows its line and its path, so an error can name both."""

from dataclasses import dataclass
from typing import Any

import yaml

DEEPEST = 8


class ProfileError(ValueError):
    """A profile that cannot be used; the text names file, line and field."""


@dataclass(frozen=True, slots=True)
class Part:
    """A scalar, a list of Parts or a dict of Parts, and where it stands."""

    value: Any
    file: str
    line: int
    path: str

    def error(self, why: str) -> ProfileError:
        """Return an error that points here."""
        return ProfileError(f"{self.file}:{self.line}: {self.path or 'document'}: {why}")

    def items(self) -> dict[str, "Part"]:
        """Return the fields of a mapping."""
        if not isinstance(self.value, dict):
            raise self.error("expected a mapping of fields")
        return self.value

    def rows(self) -> list["Part"]:
        """Return the entries of a list."""
        if not isinstance(self.value, list):
            raise self.error("expected a list")
        return self.value

    def text(self) -> str:
        """Return a scalar that is a word or a sentence."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error("expected a text")
        return self.value.strip()

    def whole(self) -> int:
        """Return a scalar that is a whole number above 0."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 1:
            raise self.error("expected a whole number from 1 on")
        return self.value

    def field(self, name: str) -> "Part":
        """Return a field that must be there."""
        fields = self.items()
        if name not in fields:
            raise self.error(f"field {name} is missing")
        return fields[name]

    def only(self, *names: str) -> None:
        """Refuse fields of other names: a typing error must not pass for a default."""
        for name, part in self.items().items():
            if name not in names:
                raise part.error(f"unknown field, possible are {', '.join(names)}")


def read(text: str, file: str) -> Part:
    """Return the document's root. Raises ProfileError for anything that is not plain YAML."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ProfileError(f"{file}:1: document: is empty")
        return _part(loader, node, file, "", 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProfileError(f"{file}:{line}: document: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ProfileError(f"{file}:1: document: {error}") from error
    finally:
        loader.dispose()


def _part(loader: yaml.SafeLoader, node: yaml.Node, file: str, path: str, depth: int) -> Part:
    here = Part(None, file, node.start_mark.line + 1, path)
    if depth > DEEPEST:
        raise here.error(f"is nested deeper than {DEEPEST}")
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = {}
        for key_node, child in node.value:
            key = str(key_node.value)
            if key in value:
                raise Part(None, file, key_node.start_mark.line + 1, path).error(f"{key} twice")
            value[key] = _part(loader, child, file, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        value = [
            _part(loader, child, file, f"{path}[{place}]", depth + 1)
            for place, child in enumerate(node.value)
        ]
    else:
        try:
            value = loader.construct_object(node)
        except ValueError as error:
            raise here.error(str(error)) from error
    return Part(value, file, here.line, path)

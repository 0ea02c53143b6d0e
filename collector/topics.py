"""Topics and filters: which subscriber wants which topic.

Source: MQTT 5.0 section 4.7. Wildcards never match topics that begin with ``$``.
"""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
TOPIC_LIMIT = 512
LEVELS_LIMIT = 32


def topic_is_valid(topic: str) -> bool:
    """Return whether a message can be published to ``topic``."""
    return (
        0 < len(topic) <= TOPIC_LIMIT
        and "+" not in topic
        and "#" not in topic
        and "\0" not in topic
        and topic.count("/") < LEVELS_LIMIT
    )


def filter_is_valid(wanted: str) -> bool:
    """Return whether ``wanted`` can be subscribed to."""
    if not 0 < len(wanted) <= TOPIC_LIMIT or "\0" in wanted:
        return False
    levels = wanted.split("/")
    if len(levels) > LEVELS_LIMIT or "#" in wanted[:-1]:
        return False
    return all(level in ("+", "#") or ("+" not in level and "#" not in level) for level in levels)


def matches(wanted: str, topic: str) -> bool:
    """Return whether the filter ``wanted`` matches ``topic``."""
    if wanted == topic:
        return True
    if topic.startswith("$") and wanted[:1] in ("+", "#"):
        return False
    levels, names = wanted.split("/"), topic.split("/")
    for place, level in enumerate(levels):
        if level == "#":
            return True
        if place >= len(names) or level not in ("+", names[place]):
            return False
    return len(levels) == len(names)


def covers(wide: str, narrow: str) -> bool:
    """Return whether every topic that filter ``narrow`` matches is matched by ``wide`` too."""
    if narrow.startswith("$") and wide[:1] in ("+", "#"):
        return False
    wide_levels, levels = wide.split("/"), narrow.split("/")
    for place, level in enumerate(wide_levels):
        if level == "#":
            return True
        if place >= len(levels) or levels[place] == "#":
            return False
        if level != "+" and level != levels[place]:
            return False
    return len(wide_levels) == len(levels)


class _Node(Generic[T]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.values: dict[T, None] = {}


class Tree(Generic[T]):
    """Subscribers by filter, found by topic in a few steps however many there are."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, wanted: str, value: T) -> None:
        """Let ``value`` be found by topics that ``wanted`` matches."""
        node = self._root
        for level in wanted.split("/"):
            node = node.children.setdefault(level, _Node())
        node.values[value] = None

    def remove(self, wanted: str, value: T) -> None:
        """Undo ``add``; nothing happens if it was not there."""
        path = [self._root]
        levels = wanted.split("/")
        for level in levels:
            node = path[-1].children.get(level)
            if node is None:
                return
            path.append(node)
        path[-1].values.pop(value, None)
        for place in range(len(levels), 0, -1):
            if path[place].values or path[place].children:
                return
            del path[place - 1].children[levels[place - 1]]

    def find(self, topic: str) -> Iterator[T]:
        """Yield the values of every filter that matches ``topic``, one as often as it was added."""
        names = topic.split("/")
        nodes: list[_Node[T]] = [self._root]
        for place, name in enumerate(names):
            wild = not (place == 0 and topic.startswith("$"))
            following: list[_Node[T]] = []
            for node in nodes:
                if wild and "#" in node.children:
                    yield from node.children["#"].values
                following.extend(_steps(node, name, wild))
            nodes = following
        for node in nodes:
            yield from node.values
            if "#" in node.children:
                yield from node.children["#"].values


def _steps(node: _Node[T], name: str, wild: bool) -> Iterable[_Node[T]]:
    for level in (name, "+") if wild else (name,):
        child = node.children.get(level)
        if child is not None:
            yield child

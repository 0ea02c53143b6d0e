"""Waiting: what a source has handed in and not got back yet, and how much that may be."""

from dataclasses import dataclass


@dataclass(slots=True)
class Waiting:
    """Messages and bytes. Whoever has several threads locks."""

    most_messages: int
    most_bytes: int
    messages: int = 0
    size: int = 0

    def add(self, messages: int, size: int) -> None:
        """Count what is handed in; negative numbers are what is committed."""
        self.messages += messages
        self.size += size

    def above(self, share: float) -> bool:
        """Return whether there is more than this share of what may be."""
        return self.messages > self.most_messages * share or self.size > self.most_bytes * share

    def takes(self, messages: int, size: int) -> bool:
        """Return whether so much more may be handed in."""
        return (
            self.messages + messages <= self.most_messages and self.size + size <= self.most_bytes
        )

"""Words: one sentence in both languages of the product."""

from typing import NamedTuple


class Words(NamedTuple):
    """The same sentence for a Chinese and for an English reader; neither is ever empty."""

    zh: str
    en: str

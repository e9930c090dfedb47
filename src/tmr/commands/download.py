"""Published weights, annotations and statistics."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tmr import download as published


def download(what: str, url: str | None, md5: str | None, items: Mapping[str, Any]) -> None:
    """Fetch one of the published items, or the same from another address."""
    item = published.Item(**items[what])
    published.download(replace(item, url=url or item.url, md5=md5 or item.md5))

"""Gradio without what only its own developers need, or pages with plots."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any


@contextmanager
def no_stubs() -> Iterator[None]:
    """Within, Gradio does not write a type stub of each of its components.

    It does so at every import, by parsing its own source: half of the seconds that the import
    takes. It passes over components without a source file; here none of them has one.
    """
    file_of = inspect.getfile

    def no_file_of_components(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no stub wanted")
        return file_of(thing)

    inspect.getfile = no_file_of_components
    try:
        yield
    finally:
        inspect.getfile = file_of


def no_matplotlib() -> None:
    """Keep Gradio from setting up matplotlib around every event: the page has no plots.

    It imports it at the first event, on the event loop: until then nobody is answered, seconds on
    a busy machine.
    """
    from gradio import utils  # noqa: PLC0415  imported without stubs before

    utils.MatplotlibBackendMananger = nullcontext  # pyright: ignore

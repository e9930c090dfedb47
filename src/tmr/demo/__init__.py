"""The page in the browser: search a motion library by a sentence and watch the results move."""

from tmr.demo.stubs import no_stubs

with no_stubs():
    from tmr.demo.actions import Actions
    from tmr.demo.server import build_app, serve
    from tmr.demo.shelf import Shelf, open_shelf

__all__ = ["Actions", "Shelf", "build_app", "open_shelf", "serve"]

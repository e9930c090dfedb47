"""The page in the browser: search a motion library by a sentence and watch the results move."""

from tmr.demo.stubs import no_matplotlib, no_stubs

with no_stubs():
    from tmr.demo.handlers import Handlers
    from tmr.demo.server import build_app, serve
    from tmr.demo.session import Session, open_session
no_matplotlib()

__all__ = ["Handlers", "Session", "build_app", "open_session", "serve"]

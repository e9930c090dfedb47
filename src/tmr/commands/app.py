"""The page in the browser: search a motion library and watch the results move."""

from collections.abc import Mapping, Sequence
from typing import Any

from tmr.demo import Handlers, open_session, serve
from tmr.localization import Scoring, WindowPlan
from tmr.runs.build import data_of


def app(
    run_dir: str,
    host: str,
    port: int,
    windows: Mapping[str, Any],
    scoring: Mapping[str, Any],
    ckpt: str,
    device: str,
    auth: str = "",
    names: str | Sequence[str] = (),
    library: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Open the library of a run folder and serve the page until Ctrl-C."""
    data_set = None if data is None else data_of({"data": data})
    session = open_session(run_dir, data_set, device, ckpt, library)
    handlers = Handlers(session, WindowPlan(**windows), Scoring(**scoring))
    serve(handlers, host, port, auth, [names] if isinstance(names, str) else names)

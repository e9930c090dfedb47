"""The page in the browser: `python app.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="app", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Open the library of a run folder and serve the page until Ctrl-C."""
    # Imported here: help pages and refusals need not wait for Gradio and torch.
    from tmr.commands.localize import plan_of, scoring_of  # noqa: PLC0415
    from tmr.demo import Handlers, open_session, serve  # noqa: PLC0415
    from tmr.runs.build import data_of  # noqa: PLC0415

    data = data_of(cfg) if "data" in cfg else None
    session = open_session(cfg.run_dir, data, cfg.device, cfg.ckpt)
    serve(Handlers(session, plan_of(cfg), scoring_of(cfg)), cfg.host, cfg.port)


if __name__ == "__main__":
    main()

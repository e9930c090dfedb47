"""A run folder: its paths, its config, and the statistics that travel with the weights."""

import logging
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from tmr.data import Normalizer, TextMotionData
from tmr.errors import InputError
from tmr.io import shipped, write_json
from tmr.runs.build import check_config
from tmr.runs.legacy_tmr import is_published, translate, with_present_names

log = logging.getLogger(__name__)

# Recorded with every run, because their versions change results.
PACKAGES = ("tmr", "torch", "numpy", "pytorch_lightning", "transformers", "hydra-core")
MAX_CONFIG_BYTES = 1 << 20  # ours have 5 KB


@dataclass(frozen=True)
class RunDir:
    """Paths inside a run folder, and its two small files."""

    root: Path

    @property
    def config(self) -> Path:
        """What the run was made from, as plain resolved JSON."""
        return self.root / "config.json"

    @property
    def environment(self) -> Path:
        """Date, git revision and package versions of the run."""
        return self.root / "environment.json"

    @property
    def logs(self) -> Path:
        """Training logs."""
        return self.root / "logs"

    @property
    def checkpoints(self) -> Path:
        """Lightning checkpoints."""
        return self.logs / "checkpoints"

    @property
    def stats(self) -> Path:
        """Mean and standard deviation of the training split."""
        return self.root / "stats"

    @property
    def contrastive_metrics(self) -> Path:
        """One YAML file for each retrieval protocol."""
        return self.root / "contrastive_metrics"

    @property
    def retrieval_report(self) -> Path:
        """All else that `retrieval.py` writes: figures with intervals, ranks, pictures."""
        return self.root / "retrieval_report"

    def weights(self, name: str = "last") -> Path:
        """One weight file for each module."""
        return self.root / f"{name}_weights"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in the folder; the lock goes with the process.

        Raises:
            InputError: another process has it.
        """
        import fcntl  # noqa: PLC0415  not on Windows, where run folders can be read all the same

        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"another process trains in {self.root}; wait until it ends, or choose "
                    "another folder with run_dir=..."
                ) from error
            except OSError as error:  # some network file systems have no locks
                log.warning("%s cannot be locked (%s): train there only once", self.root, error)
            yield

    def create(self, config: Mapping[str, Any], normalizer: Normalizer) -> None:
        """Write config, environment and statistics: all that a copied folder needs but weights."""
        write_json(self.environment, environment())
        normalizer.save(self.stats)
        write_json(self.config, dict(config))

    def read_config(self) -> dict[str, Any]:
        """The run's config in this project's form; published folders are translated.

        Raises:
            InputError: no such folder, no config, not JSON, or one that `check_config` refuses.
        """
        if not self.root.is_dir():
            raise InputError(f"no run folder at {self.root}; give run_dir=FOLDER, with config.json")
        if not self.config.is_file():
            raise InputError(
                f"no config.json in {self.root}; a run folder is made by `python train.py`, "
                "or downloaded with its config"
            )
        if self.config.stat().st_size > MAX_CONFIG_BYTES:
            raise InputError(f"{self.config} has more than {MAX_CONFIG_BYTES >> 20} MB: no config")
        try:
            config = orjson.loads(self.config.read_bytes())
        except orjson.JSONDecodeError as error:
            raise InputError(f"{self.config} is not JSON: {error}") from error
        if not isinstance(config, dict):
            raise InputError(f"{self.config} holds no JSON object")
        try:
            config = translate(config) if is_published(config) else with_present_names(config)
            check_config(config)
        except InputError as error:
            raise InputError(f"{self.config}: {error}") from error
        return config

    def normalizer(self, data: TextMotionData) -> Normalizer:
        """The statistics in the folder, or the data set's where the folder has none.

        Those of published weights come with tmr.
        """
        if self.stats.is_dir():
            return Normalizer.load(self.stats)
        return replace(data, stats=str(shipped(data.stats))).normalizer()


def environment() -> dict[str, Any]:
    """Date (UTC), git revision of the sources, versions of Python and of the packages."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git": git_revision(Path(__file__).parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def git_revision(folder: Path) -> str | None:
    """Git commit of the sources, ending in ``-dirty`` when they are changed; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()

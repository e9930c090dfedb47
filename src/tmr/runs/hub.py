"""Run folders on the Hugging Face hub: fetched by name, and published."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tmr.data import Normalizer
from tmr.errors import InputError
from tmr.io import write_bytes, write_text
from tmr.model import TEMOS
from tmr.motion.folders import find_files
from tmr.runs.folder import RunDir
from tmr.runs.weights import save_weights, split_modules
from tmr.text.pretrained import quiet_hub

log = logging.getLogger(__name__)

SCHEME = "hf://"
SMALL_FILES = ("*.json", "*.yaml", "stats/*.pt")
CARD = """---
library_name: tmr
tags: [text-to-motion-retrieval, human-motion]
---

# {name}

Text-to-motion retrieval: `{model}` trained on `{data}`, text encoder on `{tokens}`.

```python
import tmr

model = tmr.load("hf://{repo}")
model.score(["a person walks in a circle"], [features])  # features: (frames, 263)
```
"""


def run_at(where: str | Path) -> RunDir:
    """The run folder at a path, or that of ``hf://user/repo`` in the hub's cache.

    ``hf://user/repo@revision`` is a branch, tag or commit. What the hub has is fetched when it is
    newer than the cache; without a network the cache is used. Safetensors are fetched, and
    ``.pt`` weights only where a repository has nothing else.

    Raises:
        InputError: no such repository or revision, or neither a network nor a cached copy.
    """
    if not isinstance(where, str | Path):
        raise InputError(f"expected the path of a run folder or hf://user/repo, found {where!r}")
    if not str(where).startswith(SCHEME):
        return RunDir(Path(where))
    repo, _, revision = str(where).removeprefix(SCHEME).partition("@")
    return RunDir(_fetch(repo, revision or None))


def _fetch(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415  takes a second

    def fetch(*patterns: str) -> Path:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(patterns)))

    log.info("looking for %s on the Hugging Face hub", repo)
    with quiet_hub(), _one_line(f"cannot fetch {SCHEME}{repo}"):
        folder = fetch(*SMALL_FILES, "*_weights/*.safetensors")
        if not any(folder.glob("*_weights/*.safetensors")):
            folder = fetch(*SMALL_FILES, "*_weights/*.pt")
    return folder


def publish(
    run: RunDir, network: TEMOS, normalizer: Normalizer, repo: str, private: bool, ckpt: str
) -> str:
    """The address of the commit that puts a run folder on the hub, in a new or existing ``repo``.

    Config, environment, statistics, metrics and the weights of ``network`` as ``.pt`` and
    safetensors; a README where the run has none. Checkpoints and logs stay at home.

    Raises:
        InputError: not logged in, not allowed, no network, or a name that the hub refuses.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415  takes a second

    with tempfile.TemporaryDirectory() as folder:
        export(run, RunDir(Path(folder)), network, normalizer, ckpt)
        if not (run.root / "README.md").is_file():
            write_text(Path(folder) / "README.md", _card(run, repo))
        with quiet_hub(), _one_line(f"cannot push to {SCHEME}{repo}"):
            api = HfApi()
            api.create_repo(repo, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo, folder_path=folder, commit_message=f"Publish {run.root.name}"
            )
    return commit.commit_url


def export(run: RunDir, target: RunDir, network: TEMOS, normalizer: Normalizer, ckpt: str) -> None:
    """Write a run folder of its own: config, environment, statistics, metrics and weights.

    A run folder may come from elsewhere: a link in it that leads out of it is left out, or a push
    would publish what it leads to.

    Raises:
        WriteError: the folder cannot be written to.
    """
    files = [run.root / name for name in ("config.json", "environment.json", "README.md")]
    for file in [*files, *find_files(run.contrastive_metrics, [".yaml"]).files]:
        if _is_own(file, run.root):
            write_bytes(target.root / file.relative_to(run.root), file.read_bytes())
        elif file.is_symlink():
            log.warning("%s is not copied: it leads out of the run folder", file)
    normalizer.save_published(target.stats)
    save_weights(target.weights(ckpt), split_modules(network.state_dict(), network.parts))


def _is_own(file: Path, root: Path) -> bool:
    """Whether a file lies in the run folder, or in the hub's cache, whose folders are of links."""
    root = root.resolve()
    homes = {root, root.parent.parent / "blobs"}
    return file.is_file() and not homes.isdisjoint(file.resolve().parents)


def _card(run: RunDir, repo: str) -> str:
    config = run.read_config()
    return CARD.format(
        name=repo.rpartition("/")[2],
        repo=repo,
        model=config["model"]["name"],
        data=config["data"]["name"],
        tokens=config["language_model"]["token_model"],
    )


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Whatever the hub's client raises as an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the errors of its HTTP library among them
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{what} ({type(error).__name__}: {reason}); check the name and the network, and for "
            "a private repository or a push log in with `hf auth login`"
        ) from error

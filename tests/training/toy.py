"""A small data set and a small model, trained in a process of its own."""

import resource
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.model.toy import SIDE_AWARE
from tests.processes import CONTEXT
from tmr.data import CaptionPool, Normalizer, TextMotionData, TextMotionDataset
from tmr.errors import InputError
from tmr.io import save_array, write_json, write_text
from tmr.model import TMR, ActorDecoder, ActorEncoder, SideAwareTMR, TextContrastiveTMR
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SIZES = {"latent_dim": 16, "ff_size": 16, "num_layers": 1, "num_heads": 2}
SPLITS = {"train": 38, "val": 9}  # both leave a partial batch of 8
EPOCHS = 3
WORDS = ("kick", "left", "violin", "right", "bread", "seven", "ocean")


class Still(TMR):
    """Always in evaluation mode: nothing is dropped, latents are means, so no run differs."""

    def train(self, mode: bool = True) -> "Still":
        return super().train(False)


def make_data(folder: Path) -> None:
    """Smooth random features with two captions each, where configs look for embedded motions.

    With their embeddings by MiniLM.
    """
    data = data_in(folder)
    random = np.random.default_rng(0)
    entries = {}
    for split, size in SPLITS.items():
        keys = [f"{split}{i}" for i in range(size)]
        for i, key in enumerate(keys):
            frames = int(random.integers(44, 80))
            features = random.normal(size=(frames, 263)).cumsum(axis=0).astype(np.float32) / 10
            save_array(data.motion_file(key), features)
            texts = [f"{WORDS[i % 6]} {WORDS[i // 6]}", f"the {WORDS[i // 6]} {WORDS[i % 6]}"]
            captions = [
                {"seg_id": f"{key}_{n}", "text": text, "start": 0, "end": frames / 20}
                for n, text in enumerate(texts)
            ]
            entries[key] = {"path": key, "duration": frames / 20, "annotations": captions}
        write_text(Path(data.annotations) / "splits" / f"{split}.txt", "\n".join(keys))
    write_json(Path(data.annotations) / "annotations.json", entries)
    Normalizer(torch.zeros(263), torch.ones(263)).save(Path(data.stats))
    cache_of(data).build([c["text"] for e in entries.values() for c in e["annotations"]])


def data_in(folder: Path) -> TextMotionData:
    return TextMotionData(
        "synthetic",
        annotations=str(folder / "datasets/annotations/synthetic"),
        motions=str(folder / "datasets/motions/guoh3dfeats"),
        stats=str(folder / "stats/synthetic/guoh3dfeats"),
    )


def datasets(folder: Path) -> list[TextMotionDataset]:
    """The training and the validation split."""
    data = data_in(folder)
    return [data.split(split, cache_of(data), data.normalizer()) for split in SPLITS]


def cache_of(data: TextMotionData) -> EmbeddingCache:
    text = TextModel(name="minilm", token_model=MINILM, sentence_model=MINILM, token_dim=384)
    return EmbeddingCache(embeddings_folder(data.annotations, text.name), text)


def model_of(kind: type[TMR], dropout: float) -> TMR:
    torch.manual_seed(0)
    if issubclass(kind, SideAwareTMR):
        return side_aware(kind, dropout).train()
    model = kind(
        motion_encoder=ActorEncoder(nfeats=263, dropout=dropout, **SIZES),
        text_encoder=ActorEncoder(nfeats=384, dropout=dropout, **SIZES),
        motion_decoder=ActorDecoder(nfeats=263, dropout=dropout, **SIZES),
        loss_weights={"recons": 1.0, "kl": 1e-5, "latent": 1e-5, "contrastive": 0.1},
        temperature=0.1,
        threshold_selfsim=0.8,
    )
    return model.train()


def side_aware(kind: type[SideAwareTMR], dropout: float) -> SideAwareTMR:
    """The model of the contrastive recipe, in small; or that with captions without motions."""
    weights = {name: SIDE_AWARE["loss_weights"].get(name, 1.0) for name in kind.terms}
    options: dict[str, Any] = SIDE_AWARE | {"loss_weights": weights}
    return kind(
        motion_encoder=ActorEncoder(nfeats=263, dropout=dropout, **SIZES),
        text_encoder=ActorEncoder(nfeats=384, dropout=dropout, **SIZES),
        learn_temperature=True,
        hardness=0.5,
        **options,
    )


def train(
    folder: Path,
    run_dir: Path,
    trainer: Mapping[str, Any] | None = None,
    kind: type[TMR] = TMR,
    poisoned: bool = False,
    file_size: int | None = None,
    **changed: Any,
) -> dict[str, float]:
    """Train in ``run_dir``, or go on there; a poisoned model has one weight that overflows.

    With ``file_size``, no file may have more bytes: what the system then says is what it says of
    a full disk.
    """
    from tmr.training import fit

    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    last = run_dir / "logs" / "checkpoints" / "last.ckpt"
    model = model_of(kind, 0.1 if kind is TMR else 0.0)
    if poisoned:
        with torch.no_grad():
            dict(model.named_parameters())["motion_decoder.final_layer.bias"][0] = torch.inf
    settings: dict[str, Any] = {"lr": 1e-3, "decay": 0.0, "batch_size": 8, "pool": 1, "seed": 5}
    settings |= changed
    settings.setdefault("checkpoint_minutes", 0.0)  # after every step
    settings.setdefault("data_on_device", "auto")
    if kind is TextContrastiveTMR:
        data = data_in(folder)
        settings["text_pairs"] = {
            split: CaptionPool.of_split(Path(data.annotations), split, cache_of(data))
            for split in SPLITS
        }
    return fit(
        model,
        *datasets(folder),
        run_dir=run_dir,
        trainer={"accelerator": "cpu", "devices": 1, "max_epochs": EPOCHS} | dict(trainer or {}),
        resume_from=last if last.is_file() else None,
        **settings,
    )


def started(*args: Any, **kwargs: Any) -> Any:
    """A process that trains: see ``train``."""
    process = CONTEXT.Process(target=train, args=args, kwargs=kwargs)
    process.start()
    return process


def finished(folder: Path, run_dir: Path, **options: Any) -> Path:
    """The run folder after training, or what was left of it, in a process of its own."""
    process = started(folder, run_dir, **options)
    process.join()
    assert process.exitcode == 0
    return run_dir


def error_of(folder: Path, run_dir: Path, **options: Any) -> str:
    """What training, in a process of its own, says when it fails."""
    with ProcessPoolExecutor(1, CONTEXT) as pool, pytest.raises(InputError) as failure:
        pool.submit(train, folder, run_dir, **options).result()
    return str(failure.value)


def checkpoint(run_dir: Path, name: str = "last") -> dict[str, Any]:
    return torch.load(run_dir / "logs" / "checkpoints" / f"{name}.ckpt", weights_only=True)


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts are bit for bit the same."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )

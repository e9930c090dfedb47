"""Evaluate and search with the weights of a run folder."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from tmr.data import TextMotionData
from tmr.data.annotations import has_split
from tmr.model import TEMOS
from tmr.padded import pad
from tmr.retrieval import (
    Encoded,
    cosine_similarity,
    encode_dataset,
    evaluate_all,
    shown_score,
)
from tmr.retrieval.report import table, write_yaml
from tmr.run.folder import RunDir
from tmr.run.objects import data_of, device_of, embeddings_of
from tmr.run.weights import load_model
from tmr.text import EmbeddingCache

log = logging.getLogger(__name__)


class Evaluation:
    """A run's model beside the data set that it was trained on."""

    def __init__(self, cfg: DictConfig) -> None:
        device = device_of(cfg.device)
        self.run = RunDir(Path(cfg.run_dir))
        config = self.run.read_config()
        self.model: TEMOS = load_model(self.run, cfg.ckpt, device)
        self.device = device
        self.data: TextMotionData = data_of(config)
        self.normalizer = self.run.normalizer(self.data)
        self.embeddings: EmbeddingCache = embeddings_of(config, self.data, device)
        self.batch_size: int = cfg.batch_size

    def encode(self, split: str) -> Encoded:
        """Latents of a split."""
        dataset = self.data.split(split, self.embeddings, self.normalizer)
        log.info("%s, split %s: %d motions", self.data.name, split, len(dataset))
        return encode_dataset(self.model, dataset, self.batch_size, progress=True)

    @torch.inference_mode()
    def encode_text(self, text: str) -> torch.Tensor:
        """Mean latent of one sentence, (1, dim)."""
        tokens = torch.as_tensor(self.embeddings[text].tokens, device=self.device)
        return self.model.encode_text(pad([tokens])).mu.float().cpu()


def retrieval(cfg: DictConfig) -> None:
    """Print the protocols' table and write one YAML file a protocol.

    With another ``split`` than test, that split takes its place, and the files go to a folder of
    their own; the nsim protocol has its own split and is then left out.
    """
    evaluation = Evaluation(cfg)
    annotations, folder = Path(evaluation.data.annotations), evaluation.run.contrastive_metrics
    if cfg.split != "test":
        folder = folder / cfg.split

    def encode(split: str) -> Encoded | None:
        if split == "test":
            return evaluation.encode(cfg.split)
        if cfg.split == "test" and has_split(annotations, split):
            return evaluation.encode(split)
        log.warning("%s: no split %s to evaluate, its protocol is left out", cfg.run_dir, split)
        return None

    original, tie_safe = evaluate_all(encode)
    print(table(original, tie_safe))
    for path in write_yaml(folder, original):
        log.info("wrote %s", path)


def search(cfg: DictConfig) -> None:
    """Print the motions of a split that fit a sentence best, with score and caption."""
    evaluation = Evaluation(cfg)
    gallery = evaluation.encode(cfg.split)
    scores = shown_score(cosine_similarity(evaluation.encode_text(cfg.text), gallery.motion))[0]
    best = scores.topk(min(cfg.top, len(gallery)))
    print(f'"{cfg.text}"')
    for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        print(f"  {score:.3f}  {gallery.keys[index]:<10} {gallery.captions[index]}")

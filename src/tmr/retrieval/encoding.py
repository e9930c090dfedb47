"""A split through a model, once."""

import torch
from tqdm import tqdm

from tmr.data import TextMotionDataset, ordered_loader
from tmr.model import TEMOS
from tmr.retrieval.protocols import Encoded


@torch.inference_mode()
def encode_dataset(
    model: TEMOS, dataset: TextMotionDataset, batch_size: int, progress: bool = False
) -> Encoded:
    """Mean latents of the first caption of every motion, on the CPU, sorted by key.

    The model is put in evaluation mode for it and back afterwards.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    loader = ordered_loader(dataset, batch_size)
    parts = []
    for batch in tqdm(loader, desc="encode", unit="batch", disable=not progress):
        moved = batch.to(device)
        text = model.encode_text(moved.text).mu.float().cpu()
        motion = model.encode_motion(moved.motion).mu.float().cpu()
        parts.append(Encoded(batch.keys, batch.captions, text, motion, batch.sentences))
    model.train(was_training)
    return join(parts).sorted()


def join(parts: list[Encoded]) -> Encoded:
    """Encoded parts as one."""
    return Encoded(
        keys=tuple(key for part in parts for key in part.keys),
        captions=tuple(caption for part in parts for caption in part.captions),
        text=torch.cat([part.text for part in parts]),
        motion=torch.cat([part.motion for part in parts]),
        sentences=torch.cat([part.sentences for part in parts]),
    )

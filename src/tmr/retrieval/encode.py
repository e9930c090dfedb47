"""A split through a model, once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.data import TextMotionDataset
from tmr.device import matmul_dtype
from tmr.errors import InputError
from tmr.model import TEMOS, Gaussian
from tmr.progress import Progress
from tmr.retrieval.protocols import Encoded, Texts
from tmr.sequences import Packed, pack

# Frames or words in a batch. On a CPU a layer's activations then stay in the
# cache, which is a third faster than batches of 256 motions; on a GPU it bounds the memory.
TOKENS_PER_BATCH = {"cpu": 1024}
TOKENS_PER_BATCH_OF_GPUS = 2**16


@torch.inference_mode()
def encode_sequences(
    encoder: Callable[[Packed], Gaussian],
    sequences: Sequence[Float[Tensor, "_ feat"]],
    batch_size: int,
    device: torch.device | str,
    progress: str | None = None,
) -> Float[Tensor, "n dim"]:
    """Mean latents of sequences, in order, float32 on the CPU.

    Batches hold at most ``batch_size`` sequences of like length and go from long to short: one
    that is too large for the memory fails at once.
    ``progress`` names a progress bar; None shows none.

    Raises:
        InputError: a latent is not finite.
    """
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    rows = TOKENS_PER_BATCH.get(torch.device(device).type, TOKENS_PER_BATCH_OF_GPUS)
    latents, done = [], 0
    with Progress(progress or "", "sequences", len(order), progress is not None) as bar:
        while done < len(order):
            count = max(1, min(batch_size, rows // max(1, len(sequences[order[done]]))))
            batch = pack([sequences[i] for i in order[done : done + count]])
            latents.append(encoder(batch.to(device)).mu.float())
            done += len(batch)
            bar.update(len(batch))
    found = torch.cat(latents).cpu()[torch.as_tensor(order).argsort()]
    if not bool(found.isfinite().all()):
        raise InputError(
            "the model's latents are not finite: the training diverged, or the weights, the "
            "statistics or the features are damaged"
        )
    return found


def encode_dataset(
    model: TEMOS,
    dataset: TextMotionDataset,
    batch_size: int,
    progress: bool = False,
    precision: str = "fp32",
    every_caption: bool = False,
) -> Encoded:
    """Mean latents of every motion and its first caption, on the CPU, sorted by key.

    With ``every_caption``, the captions behind the first ones are encoded too. Each caption string
    goes through the model once, so equal captions have equal latents. The model is put in
    evaluation mode for it and back afterwards.

    Raises:
        InputError: no such precision, or latents that are not finite.
    """
    items = sorted(enumerate(dataset.items), key=lambda numbered: numbered[1].key)
    firsts = [item.captions[0].text for _, item in items]
    others = [
        (caption.text, row)
        for row, (_, item) in enumerate(items)
        for caption in (item.captions[1:] if every_caption else ())
    ]
    strings = list(dict.fromkeys([*firsts, *(text for text, _ in others)]))
    tokens = [torch.from_numpy(np.asarray(dataset.embeddings.tokens(text))) for text in strings]
    motions = [dataset[index].motion for index, _ in items]
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with matmul_dtype(device, precision):
            texts = encode_sequences(
                model.encode_text, tokens, batch_size, device, "encode texts" if progress else None
            )
            motion = encode_sequences(
                model.encode_motion,
                motions,
                batch_size,
                device,
                "encode motions" if progress else None,
            )
    finally:
        model.train(was_training)
    row_of = {text: row for row, text in enumerate(strings)}
    sentences = torch.from_numpy(np.asarray(dataset.embeddings.sentences(firsts)))
    encoded = Encoded(
        keys=tuple(item.key for _, item in items),
        captions=tuple(firsts),
        text=texts[[row_of[text] for text in firsts]],
        motion=motion,
        sentences=sentences,
        labels=labels_of([item.labels for _, item in items]),
    )
    if not every_caption:
        return encoded
    owners = torch.tensor([row for _, row in others], dtype=torch.long)
    rows = torch.tensor([row_of[text] for text, _ in others], dtype=torch.long)
    return replace(encoded, others=Texts(tuple(t for t, _ in others), owners, texts[rows]))


def labels_of(labels: Sequence[tuple[tuple[str, str], ...]]) -> tuple[str, ...] | None:
    """One string for all labels of each motion; None where a motion has none."""
    if not all(labels):
        return None
    return tuple(", ".join(f"{name} {value}" for name, value in some) for some in labels)


def join(parts: list[Encoded]) -> Encoded:
    """Encoded parts, of first captions, as one."""
    return Encoded(
        keys=tuple(key for part in parts for key in part.keys),
        captions=tuple(caption for part in parts for caption in part.captions),
        text=torch.cat([part.text for part in parts]),
        motion=torch.cat([part.motion for part in parts]),
        sentences=torch.cat([part.sentences for part in parts]),
    )

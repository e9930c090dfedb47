"""A split through a model, once."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from tmr.data import TextMotionDataset
from tmr.errors import InputError
from tmr.model import TEMOS, Gaussian
from tmr.retrieval.protocols import Encoded, Texts
from tmr.sequences import Packed, pack

PRECISIONS = ("fp32", "bf16")
# Frames or words in a batch. On a CPU a layer's activations then stay in the
# cache, which is a third faster than batches of 256 motions; on a GPU it bounds the memory.
ROWS_AT_ONCE = {"cpu": 1024, "cuda": 2**16}


def best_precision(device: torch.device | str) -> str:
    """``bf16`` where the hardware multiplies bfloat16 faster than float32, ``fp32`` elsewhere.

    That is a CUDA GPU since Ampere, or a CPU with AMX or AVX512-BF16 units: elsewhere bfloat16 is
    emulated and slower.
    """
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Older versions of torch cannot tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16" if native else "fp32"


def computing(device: torch.device | str, precision: str) -> AbstractContextManager:
    """A context in which matrix products on ``device`` are computed in this precision.

    In bfloat16, means and normalizations stay in float32, and so do the latents that come out.

    Raises:
        InputError: no such precision.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision={precision}: expected one of {', '.join(PRECISIONS)}")
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=precision == "bf16")


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
    ``progress`` names a progress bar.

    Raises:
        InputError: a latent is not finite.
    """
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    rows = ROWS_AT_ONCE[torch.device(device).type]
    latents, done = [], 0
    with tqdm(total=len(order), desc=progress, unit="", disable=progress is None) as bar:
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
        with computing(device, precision):
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
    )
    if not every_caption:
        return encoded
    owners = torch.tensor([row for _, row in others], dtype=torch.long)
    rows = torch.tensor([row_of[text] for text, _ in others], dtype=torch.long)
    return replace(encoded, others=Texts(tuple(t for t, _ in others), owners, texts[rows]))


def join(parts: list[Encoded]) -> Encoded:
    """Encoded parts, of first captions, as one."""
    return Encoded(
        keys=tuple(key for part in parts for key in part.keys),
        captions=tuple(caption for part in parts for caption in part.captions),
        text=torch.cat([part.text for part in parts]),
        motion=torch.cat([part.motion for part in parts]),
        sentences=torch.cat([part.sentences for part in parts]),
    )

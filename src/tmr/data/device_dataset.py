"""A data set that lives on the training device: a batch is gathered there by index."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from tmr.data.dataset import Batch, TextMotionDataset
from tmr.data.normalizer import Normalizer
from tmr.errors import InputError
from tmr.sequences import Packed, sequence_and_position, starts

log = logging.getLogger(__name__)

COPY_CHUNK = 1024  # sequences


class DeviceDataset(Dataset):
    """Motions, token states and sentence vectors of a data set on ``device``.

    Batches are those of ``collate`` over the data set's samples. All that goes to the device for
    one is a few numbers a sample.
    """

    def __init__(self, dataset: TextMotionDataset, device: torch.device) -> None:
        self.dataset = dataset
        self.device = device
        motions, texts = _motions(dataset), _texts(dataset)
        embeddings = [dataset.embeddings[text] for text in texts]
        tokens = [torch.from_numpy(np.asarray(embedding.tokens)) for embedding in embeddings]
        sentences = np.stack([embedding.sentence for embedding in embeddings])
        self.features = concatenate_on_device(list(motions.values()), device)
        self.tokens = concatenate_on_device(tokens, device)
        self.sentences = torch.from_numpy(sentences).to(device)
        mean, std = dataset.normalizer.mean, dataset.normalizer.std
        self.normalizer = Normalizer(mean.to(device), std.to(device))
        frames = [len(motion) for motion in motions.values()]
        first_frame = dict(zip(motions, starts(frames), strict=True))
        words = [len(states) for states in tokens]
        first_token = starts(words)
        number = {text: i for i, text in enumerate(texts)}
        # A row for each caption of each motion: first frame, frames, first token, tokens, sentence.
        self.table = np.array(
            [
                [
                    first_frame[item.path] + begin,
                    end - begin,
                    first_token[number[caption.text]],
                    words[number[caption.text]],
                    number[caption.text],
                ]
                for item in dataset.items
                for caption, (begin, end) in zip(item.captions, item.frames, strict=True)
            ]
        )
        self.first_row = np.cumsum([0, *(len(item.captions) for item in dataset.items)])

    def __len__(self) -> int:
        """Number of motions."""
        return len(self.dataset)

    def lengths(self) -> list[list[int]]:
        """Frames of every caption of every motion."""
        return self.dataset.lengths()

    def __getitems__(self, indices: Sequence[int | tuple[int, int]]) -> Batch:
        """The batch of some motions, each with one of its captions: the first, or the one named."""
        pairs = [index if isinstance(index, tuple) else (index, 0) for index in indices]
        items = [self.dataset.items[motion] for motion, _ in pairs]
        rows = self.table[[self.first_row[motion] + caption for motion, caption in pairs]]
        there = torch.from_numpy(rows[:, [0, 2, 4]].T.copy()).to(self.device, non_blocking=True)
        frames, words = tuple(rows[:, 1].tolist()), tuple(rows[:, 3].tolist())
        motion = gather(self.features, there[0], frames)
        return Batch(
            keys=tuple(item.key for item in items),
            captions=tuple(
                item.captions[caption].text for item, (_, caption) in zip(items, pairs, strict=True)
            ),
            motion=Packed(self.normalizer(motion.x), frames),
            text=gather(self.tokens, there[1], words),
            sentences=self.sentences[there[2]],
        )


def gather(
    packed: Float[Tensor, "rows feat"], first: Int[Tensor, " batch"], lengths: tuple[int, ...]
) -> Packed:
    """The sequences of ``lengths`` rows from the rows ``first`` on. No GPU is waited for."""
    sequence, position = sequence_and_position(lengths, packed.device)
    return Packed(packed[first[sequence] + position], lengths)


def concatenate_on_device(
    sequences: Sequence[Float[Tensor, "_ feat"]], device: torch.device
) -> Float[Tensor, "rows feat"]:
    """The sequences concatenated on ``device``; only some at a time are copied here."""
    rows = sum(len(sequence) for sequence in sequences)
    packed = torch.empty(rows, sequences[0].shape[1], device=device)
    done = 0
    for start in range(0, len(sequences), COPY_CHUNK):
        part = torch.cat(list(sequences[start : start + COPY_CHUNK]))
        packed[done : done + len(part)] = part
        done += len(part)
    return packed


def place_on_device_if_it_fits(
    datasets: Sequence[TextMotionDataset], device: torch.device, wanted: bool | str
) -> list[TextMotionDataset] | list[DeviceDataset]:
    """The data sets on ``device`` if ``wanted``; with ``auto``, on a GPU that has the room.

    That is when they take less than half of its free memory.

    Raises:
        InputError: ``wanted`` is something else.
    """
    if wanted not in (True, False, "auto"):
        raise InputError(f"data_on_device={wanted}: expected auto, true or false")
    if wanted is False or (wanted == "auto" and device.type != "cuda"):
        return list(datasets)
    if wanted == "auto":
        needed = sum(size(dataset) for dataset in datasets)
        free, _ = torch.cuda.mem_get_info(device)
        if needed >= free / 2:
            log.info(
                "the data stay off the GPU: they take %.1f of its %.1f GB", needed / 1e9, free / 1e9
            )
            return list(datasets)
    return [DeviceDataset(dataset, device) for dataset in datasets]


def size(dataset: TextMotionDataset) -> int:
    """Bytes of a data set on a device."""
    embeddings = [dataset.embeddings[text] for text in _texts(dataset)]
    numbers = sum(motion.numel() for motion in _motions(dataset).values())
    return 4 * (numbers + sum(e.tokens.size + e.sentence.size for e in embeddings))


def _motions(dataset: TextMotionDataset) -> dict[str, Float[Tensor, "time feat"]]:
    paths = dict.fromkeys(item.path for item in dataset.items)
    return {path: dataset.motions[path] for path in paths}


def _texts(dataset: TextMotionDataset) -> list[str]:
    return list(dict.fromkeys(c.text for item in dataset.items for c in item.captions))

"""Window latents of a folder or a data set, encoded once by the model of a run."""

import hashlib
import logging
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tmr import cache
from tmr.data import Normalizer
from tmr.errors import InputError
from tmr.localization import WindowLatents, WindowPlan, encode_motions, store
from tmr.localization.windows import SHORTEST
from tmr.model import Encoder
from tmr.motion.skeleton import FPS
from tmr.progress import Progress
from tmr.runs.folder import RunDir
from tmr.search.reading import Skipped, read_motions
from tmr.search.sources import Listed, Source

log = logging.getLogger(__name__)


def source_windows(
    source: Source,
    plan: WindowPlan,
    encoder: Encoder,
    normalizer: Normalizer,
    fingerprint: str,
    run: RunDir,
) -> WindowLatents:
    """Latents of the windows of every motion of a source but mirrored copies.

    They are kept in ``RUN_DIR/windows`` until a file or an option changes. Motions shorter than
    half a second, and files that cannot be used, are left out with a warning. ``fingerprint``
    stands for the weights and statistics.

    Raises:
        InputError: no motion there that can be used.
    """
    listed = [one for one in source.list() if source.wants(one.take) and not one.take.mirrored]
    place = hashlib.sha256(repr(source.describe()).encode("utf-8", "surrogatepass")).hexdigest()
    path = run.root / "windows" / f"{source.name}-{place[:8]}.safetensors"
    digests = cache.content_digests(
        {one.take.key: source.path(one.take) for one in listed},
        path.with_name(f"digests-{path.name}"),
    )
    made_from = cache.fingerprint(
        "windows", 2, model=fingerprint, seconds=list(plan.seconds), step=plan.step,
        motions=digests, overrides=[repr(one.overrides) for one in listed],
    )  # fmt: skip
    windows = store.load(path, made_from)
    if windows is None:
        log.info("%d motions to encode, once", len(listed))
        windows = encode_motions(plan, encoder, _motions(source, listed, normalizer))
        if store.save(path, windows, made_from):
            log.info("wrote %s", path)
    return windows


def _motions(
    source: Source, listed: Sequence[Listed], normalizer: Normalizer
) -> Iterator[tuple[str, Float[Tensor, "_ 263"]]]:
    skipped: Skipped = {}
    used = short = 0
    with Progress("encode", "motions") as show:
        for motion in read_motions(source, listed, skipped):
            if len(motion.features) < SHORTEST * FPS:
                short += 1
                continue
            yield motion.take.key, normalizer(torch.from_numpy(motion.features))
            used += 1
            show(used + short + len(skipped), len(listed))
    if short:
        log.warning("%d motions left out: shorter than %g s", short, SHORTEST)
    for file, reason in skipped.items():
        log.warning("%s: skipped, %s", file, reason)
    if not used:
        raise InputError(
            f"no motion of {source.name!r} can be used: {short} shorter than {SHORTEST} s, "
            f"{len(skipped)} not readable"
        )

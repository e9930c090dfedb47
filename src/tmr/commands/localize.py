"""Where in a motion, or in a library, a sentence happens."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tmr.api import load
from tmr.commands.inputs import read_features
from tmr.commands.outputs import file_name
from tmr.errors import InputError
from tmr.io import write_json
from tmr.localization import (
    Moment,
    Scoring,
    WindowPlan,
    best_moments,
    curve,
    encode_motions,
    window_scores,
)
from tmr.localization.library import folder_windows
from tmr.localization.timeline_plot import draw
from tmr.motion.features import features_to_joints
from tmr.motion.skeleton import FPS
from tmr.runs.calibration import read_calibration

log = logging.getLogger(__name__)


def localize(
    run_dir: str,
    text: str,
    npy: str | None,
    library: str | None,
    top: int,
    output: str | None,
    picture: bool,
    windows: Mapping[str, Any],
    scoring: Mapping[str, Any],
    ckpt: str,
    device: str,
    **reading: Any,
) -> None:
    """Print the best segments of a motion or a library, and write them as JSON, with a picture."""
    if (npy is None) == (library is None):
        raise InputError("give either npy=FILE, a motion, or library=FOLDER, a folder of features")
    plan, rules = WindowPlan(**windows), Scoring(**scoring)
    source = Path(npy or library or "")
    features = read_features(source, reading=reading) if npy else None
    model = load(run_dir, device, ckpt)
    sentence = model.encode_texts([text])[0]
    encoder, normalizer = model.network.motion_encoder, model.normalizer
    if features is None:
        caches = model.run.root / "windows"
        latents = folder_windows(source, plan, encoder, normalizer, model.fingerprint, caches)
    else:
        latents = encode_motions(plan, encoder, [(source.stem, normalizer(features))])
    scores = window_scores(sentence, latents)
    moments = best_moments(latents, scores, rules, top, read_calibration(model.run))
    print(f'"{text}"')
    for moment in moments:
        print(f"  {_line(moment)}")

    name = file_name(text, str(source.resolve())).removesuffix(".npy")
    target = Path(output or model.run.root / "localization" / name)
    result = {"text": text, "source": str(source), "moments": [_record(m) for m in moments]}
    if features is not None:
        fits = curve(latents, scores, rules)
        result |= {"seconds": len(features) / FPS, "fps": FPS, "curve": fits.round(4).tolist()}
        if picture:
            joints = features_to_joints(features.numpy())
            file = target.with_name(f"{target.name}.png")
            draw(file, text, joints, fits, [m.segment for m in moments])
            log.info("wrote %s", file)
    path = target.with_name(f"{target.name}.json")
    write_json(path, result)
    log.info("wrote %s", path)


def _line(moment: Moment) -> str:
    segment = moment.segment
    sure = "" if segment.confidence is None else f"  confidence {segment.confidence:.2f}"
    return (
        f"{segment.start:7.2f} to {segment.end:7.2f} s  score {segment.score:.3f}  "
        f"fit {segment.fit:.3f}{sure}  {moment.name}"
    )


def _record(moment: Moment) -> dict[str, Any]:
    return {"name": moment.name} | asdict(moment.segment)

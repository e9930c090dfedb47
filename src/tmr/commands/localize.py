"""Where in a motion, a folder, a library or a data set a sentence happens."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tmr.api import Model, load
from tmr.commands.found import FORMATS, write
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
from tmr.localization.timeline_plot import draw
from tmr.motion.conventions import Overrides
from tmr.motion.features import features_to_joints
from tmr.motion.skeleton import FPS
from tmr.runs.build import data_of
from tmr.runs.calibration import read_calibration
from tmr.runs.windows import source_windows
from tmr.search.library import Library
from tmr.search.sources import DataSource, FolderSource, Source

log = logging.getLogger(__name__)


def localize(
    run_dir: str,
    text: str,
    npy: str | None,
    folder: str | None,
    library: str | None,
    top: int,
    output: str | None,
    picture: bool,
    windows: Mapping[str, Any],
    scoring: Mapping[str, Any],
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Print the best segments of a motion or of many, and write them, with a picture of one."""
    if sum(given is not None for given in (npy, folder, library, data)) != 1:
        raise InputError(
            "give one of npy=FILE, a motion, folder=FOLDER, library=LIBRARY and data=NAME"
        )
    plan, rules = WindowPlan(**windows), Scoring(**scoring)
    features = read_features(Path(npy), reading=reading) if npy else None
    model = load(run_dir, device, ckpt)
    sentence = model.encode_texts([text])[0]
    encoder, normalizer = model.network.motion_encoder, model.normalizer
    where = str(npy)
    if features is None:
        source = _source(model, folder, library, data, reading)
        where = folder or library or source.name
        latents = source_windows(source, plan, encoder, normalizer, model.fingerprint, model.run)
    else:
        latents = encode_motions(plan, encoder, [(Path(where).stem, normalizer(features))])
    scores = window_scores(sentence, latents)
    moments = best_moments(latents, scores, rules, top, read_calibration(model.run))
    print(f'"{text}"')
    for moment in moments:
        print(f"  {_line(moment)}")

    name = file_name(text, str(Path(where).resolve())).removesuffix(".npy")
    target = Path(output or model.run.root / "localization" / name)
    suffix = target.suffix.lower()
    stem = target.with_suffix("") if suffix in FORMATS else target
    records = [_record(moment) for moment in moments]
    result: dict[str, Any] = {"text": text, "source": where, "moments": records}
    if features is not None:
        fits = curve(latents, scores, rules)
        result |= {"seconds": len(features) / FPS, "fps": FPS, "curve": fits.round(4).tolist()}
        if picture:
            joints = features_to_joints(features.numpy())
            file = stem.with_name(f"{stem.name}.png")
            draw(file, text, joints, fits, [m.segment for m in moments])
            log.info("wrote %s", file)
    if suffix == ".csv":
        write(records, target)
        return
    path = stem.with_name(f"{stem.name}.json")
    write_json(path, result)
    log.info("wrote %s", path)


def _source(
    model: Model,
    folder: str | None,
    library: str | None,
    data: Mapping[str, Any] | None,
    reading: Mapping[str, Any],
) -> Source:
    if data is not None:
        return DataSource(data_of({"data": data}))
    if folder is not None:
        return FolderSource.at(folder, Overrides(**reading))
    source = Library.open(str(library), model).source
    if source is None:
        raise InputError(
            f"the motion files of the library {library} are not here: windows are cut from them; "
            "give folder=FOLDER or data=NAME"
        )
    return source


def _line(moment: Moment) -> str:
    segment = moment.segment
    sure = "" if segment.confidence is None else f"  confidence {segment.confidence:.2f}"
    return (
        f"{segment.start:7.2f} to {segment.end:7.2f} s  score {segment.score:.3f}  "
        f"fit {segment.fit:.3f}{sure}  {moment.name}"
    )


def _record(moment: Moment) -> dict[str, Any]:
    return {"name": moment.name} | asdict(moment.segment)

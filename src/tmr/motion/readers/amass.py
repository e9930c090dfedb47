"""Body-model parameters in .npz files, as AMASS has them: SMPL-H, SMPL-X or SMPL.

Joints come from the functions of the ``smplx`` package (not for commercial use, so it is not
among our requirements) and the user's own body-model files. Only what places the first 22 joints
is computed: the shaped rest joints and the rotations along the skeleton, no skin.
"""

from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError
from tmr.motion.conventions import NoMotion, Recording
from tmr.motion.readers.npy import load_npz, numbers
from tmr.motion.skeleton import NUM_JOINTS, PARENTS

# Body models by the numbers in a row of poses.
_MODELS = {72: "smpl", 156: "smplh", 165: "smplx"}
_SITES = {
    "smpl": "https://smpl.is.tue.mpg.de",
    "smplh": "https://mano.is.tue.mpg.de (extended SMPL+H model for AMASS)",
    "smplx": "https://smpl-x.is.tue.mpg.de",
}
_GENDERS = ("male", "female", "neutral")
_RATES = ("mocap_framerate", "mocap_frame_rate")
_PARTS_OF_MODEL = ("v_template", "shapedirs", "J_regressor", "kintree_table")
_CHUNK = 4096  # frames at once, so that memory does not grow with the length of a file


def check_ready(body_models: str | None) -> Path:
    """The folder of body models. Raises InputError where it or the package is missing."""
    if body_models is None or not Path(body_models).is_dir():
        found = "none is given" if body_models is None else f"there is no {body_models}"
        raise InputError(
            f".npz files of AMASS need a folder of body models, and {found}: download them, after "
            f"registration, from {' or '.join(_SITES.values())}, keep them as "
            "FOLDER/smplh/male/model.npz and the like, and give body_models=FOLDER"
        )
    _smplx()
    return Path(body_models)


def read_amass(path: Path, body_models: str | None) -> Recording:
    """The joints of an AMASS file, posed by its body model, in meters and Z up.

    ``body_models`` is the folder of body-model files: MODEL/GENDER/model.npz as in the archives of
    the MANO site, or MODEL_GENDER.npz as ``smplx`` names them. Raises InputError for a damaged
    file and where the model or the package is missing, and NoMotion for files of a body shape.
    """
    arrays = load_npz(path, ("poses", "trans", "betas", "gender", *_RATES))
    if "poses" not in arrays and "betas" in arrays:
        raise NoMotion("a body shape without poses")
    poses, trans = numbers(arrays, "poses"), numbers(arrays, "trans")
    betas = numbers(arrays, "betas").reshape(-1)
    if poses.ndim != 2 or poses.shape[1] not in _MODELS:
        raise InputError(
            f"found poses of shape {poses.shape}, expected (frames, "
            f"{' or '.join(map(str, _MODELS))})"
        )
    if trans.shape != (len(poses), 3):
        raise InputError(f"found trans of shape {trans.shape}, expected ({len(poses)}, 3)")
    name, gender = _MODELS[poses.shape[1]], _gender(arrays)
    model = _model_file(check_ready(body_models), name, gender)
    rest = _rest_joints(model, tuple(betas.tolist()))
    positions = _posed(poses[:, : 3 * NUM_JOINTS], rest) + trans[:, None]
    return Recording(positions, f"{name} {gender}", _rate(arrays), 1.0, "z")


def _posed(
    poses: Float[np.ndarray, "frames 66"], rest: Float[Tensor, "22 3"]
) -> Float[np.ndarray, "frames 22 3"]:
    lbs = _smplx()
    parts = []
    for chunk in torch.from_numpy(poses).split(_CHUNK):
        turns = lbs.batch_rodrigues(chunk.reshape(-1, 3)).reshape(len(chunk), NUM_JOINTS, 3, 3)
        joints, _ = lbs.batch_rigid_transform(
            turns, rest.expand(len(chunk), -1, -1), torch.tensor(PARENTS), dtype=torch.float64
        )
        parts.append(joints.numpy())
    return np.concatenate(parts) if parts else np.empty((0, NUM_JOINTS, 3))


@lru_cache(maxsize=64)
def _rest_joints(model: Path, betas: tuple[float, ...]) -> Float[Tensor, "22 3"]:
    """Joints of a body in its rest pose; shape components that the model lacks are left out."""
    lbs = _smplx()
    template, shapes, regressor = _model(model)
    known = min(len(betas), shapes.shape[-1])
    shape = torch.tensor([betas[:known]], dtype=torch.float64)
    vertices = template + lbs.blend_shapes(shape, shapes[..., :known])
    return lbs.vertices2joints(regressor, vertices)[0]


@lru_cache(maxsize=8)
def _model(
    path: Path,
) -> tuple[
    Float[Tensor, "vertices 3"], Float[Tensor, "vertices 3 shapes"], Float[Tensor, "22 vertices"]
]:
    try:
        arrays = load_npz(path, _PARTS_OF_MODEL)
        template, shapes, regressor, tree = (numbers(arrays, part) for part in _PARTS_OF_MODEL)
    except InputError as error:
        raise InputError(f"body model {path}: {error}") from None
    regressor = regressor[:NUM_JOINTS]
    sizes = (len(template), 3), (len(template), 3), (NUM_JOINTS, len(template))
    found = template.shape, shapes.shape[:2], regressor.shape
    if found != sizes or tuple(tree[0, 1:NUM_JOINTS].astype(int)) != PARENTS[1:]:
        raise InputError(f"body model {path}: not a body model of the SMPL family")
    return torch.from_numpy(template), torch.from_numpy(shapes), torch.from_numpy(regressor)


def _model_file(folder: Path, name: str, gender: str) -> Path:
    names = Path(gender, "model.npz"), Path(f"{name.upper()}_{gender.upper()}.npz")
    places = [folder / above / file for file in names for above in (name, "")]
    for place in places:
        if place.is_file():
            return place
        if place.with_suffix(".pkl").is_file():
            raise InputError(
                f"{place.with_suffix('.pkl')} is a pickle, which can run any program when it is "
                f"opened: get the .npz file from {_SITES[name]}"
            )
    raise InputError(
        f"no {gender} {name.upper()} model in {folder}: expected {places[0]} or "
        f"{folder / name / names[1]}, from {_SITES[name]}"
    )


def _gender(arrays: dict[str, np.ndarray]) -> str:
    gender = arrays.get("gender", np.array("neutral")).reshape(-1)[:1].tolist()
    text = gender[0].decode(errors="replace") if isinstance(gender[0], bytes) else str(gender[0])
    if text not in _GENDERS:
        raise InputError(f"found gender {text!r}, expected one of {', '.join(_GENDERS)}")
    return text


def _rate(arrays: dict[str, np.ndarray]) -> float | None:
    for key in _RATES:
        if key in arrays:
            return float(numbers(arrays, key).reshape(-1)[0])
    return None


def _smplx() -> ModuleType:
    try:
        from smplx import lbs  # noqa: PLC0415  optional
    except ImportError:
        raise InputError("reading AMASS files needs the package smplx: pip install smplx") from None
    return lbs

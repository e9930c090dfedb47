"""Body-model parameters in .npz files, of AMASS and of tools that see bodies in videos.

SMPL-H, SMPL-X and SMPL: ``poses`` in one array, or the rotation of the root (``root_orient``,
``global_orient``) beside that of the body (``pose_body``, ``body_pose``). Joints come from the
functions of the ``smplx`` package (not for commercial use, so it is not among our requirements)
and the user's own body-model files. Only what places the first 22 joints is computed: the shaped
rest joints and the rotations along the skeleton, no skin.
"""

from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
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
_RATES = ("mocap_framerate", "mocap_frame_rate", "mocap_fps", "frame_rate", "framerate", "fps")
# The names that files have for one thing, those that count first at the beginning.
_POSES = ("poses", "pose_world", "pose", "pred_pose", "pred_poses", "smpl_poses", "fullpose")
_ROOT = ("root_orient", "global_orient", "pred_global_orient", "pred_root_orient")
_BODY = ("pose_body", "body_pose", "pred_body_pose", "pred_pose_body")
_TRANS = ("trans", "transl", "trans_world", "pred_trans", "pred_transl", "smpl_trans",
          "pred_cam_t")  # fmt: skip
_BETAS = ("betas", "pred_betas", "shape", "pred_shape")
_AMASS = ("poses", "root_orient", "trans")  # names of AMASS, which has Z up
_PARTS_OF_MODEL = ("v_template", "shapedirs", "J_regressor", "kintree_table")
_SAME_SHAPE = 0.1  # standard deviations of a shape component that change nothing to be seen
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
    """Read the joints of a file of body-model parameters, posed by its body model, in meters.

    ``body_models`` is the folder of body-model files: MODEL/GENDER/model.npz as in the archives of
    the MANO site, or MODEL_GENDER.npz as ``smplx`` names them. Files of AMASS have Z up; those of
    tools for videos do not state it.

    Raises:
        InputError: the file is damaged, or the model or the package is missing.
        NoMotion: a file of a body shape.
    """
    arrays = load_npz(path, (*_POSES, *_ROOT, *_BODY, *_TRANS, *_BETAS, "gender", *_RATES))
    if not any(name in arrays for name in (*_POSES, *_ROOT, *_BODY)) and _name(arrays, _BETAS):
        raise NoMotion("a body shape without poses")
    warnings: list[str] = []
    models, poses, stated = _poses(arrays)
    trans_name = _name(arrays, _TRANS)
    if trans_name is None:
        raise InputError(f"no array {_TRANS[0]!r}")
    trans = numbers(arrays, trans_name).reshape(-1, 3)
    if len(trans) != len(poses):
        raise InputError(
            f"found {trans_name} of shape {arrays[trans_name].shape}, expected ({len(poses)}, 3)"
        )
    betas = _betas(arrays, len(poses), warnings)
    folder, gender = check_ready(body_models), _gender(arrays)
    name, model = _model_file(folder, models, gender)
    positions = _posed(poses, _rest_joints(model, tuple(betas.tolist()))) + trans[:, None]
    up = "z" if stated in _AMASS and trans_name in _AMASS else None
    return Recording(
        positions, f"{name} {gender}", _rate(arrays), 1.0, up, warnings=tuple(warnings)
    )


def _poses(
    arrays: dict[str, np.ndarray],
) -> tuple[tuple[str, ...], Float[np.ndarray, "frames 66"], str]:
    """The body models that fit, the rotation vectors of 22 joints, and the name they stand by."""
    root, body = _name(arrays, _ROOT), _name(arrays, _BODY)
    name = _name(arrays, _POSES)
    if name is not None:
        poses = _rotation_vectors(arrays, name)
        if poses.shape[1] not in _MODELS:
            raise InputError(
                f"found {name} of shape {arrays[name].shape}, expected (frames, "
                f"{' or '.join(map(str, _MODELS))})"
            )
        return (_MODELS[poses.shape[1]],), poses[:, : 3 * NUM_JOINTS], name
    if root is None or body is None:
        found = root or body
        raise InputError(
            "no array 'poses'"
            if found is None
            else f"found {found!r} alone, expected poses, or root_orient and pose_body"
        )
    turns, rest = _rotation_vectors(arrays, root), _rotation_vectors(arrays, body)
    sizes = {63: ("smplx", "smplh"), 69: ("smpl",)}
    if turns.shape[1] != 3 or rest.shape[1] not in sizes or len(turns) != len(rest):
        raise InputError(
            f"found {root} of shape {arrays[root].shape} and {body} of shape "
            f"{arrays[body].shape}, expected (frames, 3) and (frames, 63 or 69)"
        )
    poses = np.concatenate([turns, rest[:, : 3 * NUM_JOINTS - 3]], axis=1)
    return sizes[rest.shape[1]], poses, root


def _rotation_vectors(
    arrays: dict[str, np.ndarray], name: str
) -> Float[np.ndarray, "frames values"]:
    """Rotation vectors, a row a frame, of an array of them or of rotation matrices."""
    values = numbers(arrays, name)
    if values.shape[-2:] == (3, 3) and values.ndim > 2:
        matrices = values.reshape(-1, 3, 3)
        if not np.allclose(matrices @ matrices.swapaxes(1, 2), np.eye(3), atol=1e-2):
            raise InputError(f"found matrices in {name!r} that are no rotations")
        return Rotation.from_matrix(matrices).as_rotvec().reshape(len(values), -1)
    if values.ndim < 2:
        raise InputError(f"found {name} of shape {values.shape}, expected a row a frame")
    return values.reshape(len(values), -1)


def _betas(
    arrays: dict[str, np.ndarray], frames: int, warnings: list[str]
) -> Float[np.ndarray, " shapes"]:
    """The shape of the body; of one a frame, as tools for videos have them, the mean."""
    name = _name(arrays, _BETAS)
    if name is None:
        raise InputError("no array 'betas'")
    betas = numbers(arrays, name)
    if betas.ndim < 2:
        return betas.reshape(-1)
    betas = betas.reshape(-1, betas.shape[-1])
    if len(betas) not in (1, frames):
        raise InputError(
            f"found {name} of shape {arrays[name].shape}, expected one row or {frames}"
        )
    if np.ptp(betas, axis=0).max() > _SAME_SHAPE:
        warnings.append(f"{name} change from frame to frame: read with their mean")
    return betas.mean(axis=0)


def _name(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in arrays), None)


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


def _model_file(folder: Path, models: tuple[str, ...], gender: str) -> tuple[str, Path]:
    """The first of the models that is there, and its file."""
    for name in models:
        for place in _model_places(folder, name, gender):
            if place.is_file():
                return name, place
            if place.with_suffix(".pkl").is_file():
                raise InputError(
                    f"{place.with_suffix('.pkl')} is a pickle, which can run any program when it "
                    f"is opened: get the .npz file from {_SITES[name]}"
                )
    expected = " or ".join(
        str(place) for name in models for place in _model_places(folder, name, gender)[::2]
    )
    wanted = " or ".join(name.upper() for name in models)
    raise InputError(
        f"no {gender} {wanted} model in {folder}: expected {expected}, from {_SITES[models[0]]}"
    )


def _model_places(folder: Path, name: str, gender: str) -> list[Path]:
    names = Path(gender, "model.npz"), Path(f"{name.upper()}_{gender.upper()}.npz")
    return [folder / above / file for file in names for above in (name, "")]


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

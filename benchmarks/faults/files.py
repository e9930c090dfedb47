"""Files and folders from elsewhere: hostile configs, damage, links, paths, bombs."""

import contextlib
import copy
import gzip
import io
import json
import operator
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.faults.common import Act, Faults, NotHeld, Place, held, in_a_child
from tests.bodies import walk
from tests.damage import damaged
from tests.motion.bvh_text import person_bvh
from tests.search.conftest import Hashed
from tmr.commands.inputs import motion_files
from tmr.data import Normalizer, read_annotations
from tmr.data.feature_files import read_features
from tmr.data.feature_store import open_store
from tmr.data.releases import read_humanml3d, read_table
from tmr.data.releases.release import read_index
from tmr.errors import InputError
from tmr.io import write_json, write_text
from tmr.motion.folders import find_files
from tmr.motion.preprocessing import import_folder
from tmr.motion.read import read_motion
from tmr.motion.writers.glb import write_glb
from tmr.runs.folder import RunDir
from tmr.runs.hub import export
from tmr.runs.weights import extract, load_model
from tmr.search.entry import Entry, TakeInfo
from tmr.search.stores import Header
from tmr.search.stores.factory import create_store
from tmr.search.stores.factory import open_store as open_rows
from tmr.text import EmbeddingCache

CALLS = (
    "os.system", "builtins.eval", "tmr.io.write_text", "tmr.run.weights.torch.load", "src.model.X",
    "tmr.model.TMR.load_state_dict", "subprocess.Popen", "hydra.utils.get_method", "tmr", "", "é",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**12, 1e308, "", "../../x", "/etc/passwd", "a\0b", "${oc.env:HOME}",
    "${oc.create:{a: 1}}", "${..seed}", "\ud83d", "<script>", "x" * 5000, [], [[]], {}, ["x"],
    {"_target_": "os.system", "command": "touch CODE_RAN"}, {"x": {"_args_": [1]}}, {"${x}": 1},
)  # fmt: skip


def configs(place: Place, count: int = 200) -> Faults:
    """A run folder with another value, class or reference somewhere in its config."""
    config = place.run.read_config()
    places = [place for place, _ in leaves(config)]
    for number in range(count):
        changed = copy.deepcopy(config)
        where = place.random.choice(places)
        classes = where.endswith("_target_") or place.random.random() < 0.3
        value = place.random.choice(CALLS if classes else VALUES)
        if classes and not where.endswith("_target_"):
            value = {"_target_": value, "f": "x"}
        *parents, last = where.split(".")
        node = changed
        for name in parents:
            node = node[name]
        node[last] = value
        yield f"{where} = {value!r:.60}", partial(opened, place, number, changed)


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Places in a config, parts and values."""
    for name, value in node.items():
        inside = f"{path}.{name}".lstrip(".")
        yield inside, value
        if isinstance(value, dict):
            yield from leaves(value, inside)


def opened(place: Place, number: int, config: Any) -> None:
    """Open a run folder with a config: refused, or the same model as ever."""
    run = RunDir(place.folder / f"run_{number}")
    shutil.copytree(place.run.root, run.root)
    try:
        # No surrogates in a file: they are written as escapes.
        (run.root / "config.json").write_text(json.dumps(config))
        expected = load_model(place.run).state_dict()
        before = threads_and_files(place.folder)
        held(lambda: load_model(run).state_dict(), expected, same_tensors)
        if threads_and_files(place.folder) != before:
            raise NotHeld("it wrote something")
    finally:
        shutil.rmtree(run.root)


def threads_and_files(folder: Path) -> Any:
    """What code that ran would change."""
    return sorted(map(str, folder.rglob("*"))), Path("CODE_RAN").exists()


def same_tensors(first: Any, second: Any) -> bool:
    """Whether two state dicts are the same, bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


# Damage -------------------------------------------------------------------------------------------


def damage(place: Place, flips: int = 12) -> Faults:
    """Flipped, cut, empty and foreign bytes in every kind of file that is read."""
    for number, (name, file, read, equal) in enumerate(files_that_are_read(place)):
        expected, content = read(), file.read_bytes()
        for what, broken in damaged(content, place.random.randrange(10**6) + number, flips):

            def act(file=file, broken=broken, content=content, args=(read, expected, equal)):
                file.write_bytes(broken)
                try:
                    held(*args)
                finally:
                    file.write_bytes(content)

            yield f"{name}: {what}", act


def files_that_are_read(
    place: Place,
) -> Iterator[tuple[str, Path, Act, Callable[[Any, Any], bool]]]:
    """A name, a file, what reads it, and what compares results."""
    run, data, folder = place.run, place.data, place.folder
    annotations = Path(data.annotations) / "annotations.json"
    yield "config.json", run.config, run.read_config, lambda a, b: True
    yield "annotations.json", annotations, lambda: read_annotations(annotations.parent), plausible
    packed = folder / "packed" / "annotations.json.gz"
    packed.parent.mkdir(exist_ok=True)
    packed.write_bytes(gzip.compress(annotations.read_bytes()))
    yield "annotations.json.gz", packed, lambda: read_annotations(packed.parent), operator.eq
    statistics = Path(data.stats) / "statistics.safetensors"
    yield "statistics", statistics, lambda: [*data.normalizer().mean], operator.eq
    data.normalizer().save_published(folder / "published")
    for name in ("mean", "std"):
        yield (
            f"{name}.pt", folder / "published" / f"{name}.pt",
            lambda: [(n.mean, n.std) for n in [Normalizer.load(folder / "published")]],
            lambda a, b: all(map(torch.equal, a[0], b[0])),
        )  # fmt: skip
    weights = lambda: load_model(run).state_dict()  # noqa: E731
    yield "weights, safetensors", run.weights() / "text_encoder.safetensors", weights, same_tensors
    yield "checkpoint", run.checkpoints / "last.ckpt", partial(extracted, run), same_tensors
    for file in run.weights().glob("*.safetensors"):
        file.unlink()
    yield "weights, pt", run.weights() / "motion_encoder.pt", weights, same_tensors
    extract(run)
    features = folder / "features" / "0.npy"
    yield "features", features, lambda: len(read_features(features)), lambda a, b: True
    store = Path(data.annotations) / "packed" / "features.safetensors"
    paths = [str(n) for n in range(6)]
    yield (
        "packed features", written(store, lambda: open_store(store, Path(data.motions), paths)),
        lambda: store_of(store, Path(data.motions), paths),
        operator.eq,
    )  # fmt: skip
    text, captions = Hashed("hashed", "tokens", "sentences", 48), [f"walk {n}" for n in range(40)]
    embeddings = lambda: EmbeddingCache(folder / "embeddings", text)  # noqa: E731
    embeddings().build(captions)
    yield (
        "embeddings", next((folder / "embeddings").glob("shard-*")),
        lambda: np.concatenate([embeddings().tokens(c) for c in captions]), np.array_equal,
    )  # fmt: skip
    for kind in ("memory", "lance"):
        with contextlib.suppress(InputError):  # Lance is optional
            yield from library_files(folder / kind, kind)
    bvh = folder / "walk.bvh"
    bvh.write_text(person_bvh([(0, 90, 1.5 * t) for t in range(30)], frame_time="0.05"))
    # Text has no checksum: a digit may be another one.
    yield "walk.bvh", bvh, lambda: read_motion(bvh).joints.shape, lambda a, b: True
    glb = folder / "walk.glb"
    write_glb(glb, walk(20), "walk")
    yield "walk.glb", glb, lambda: read_motion(glb).joints.shape, lambda a, b: True


def store_of(file: Path, motions: Path, paths: list[str]) -> list[bytes] | None:
    """The packed features of motions."""
    store = open_store(file, motions, paths)
    return None if store is None else [store[path].numpy().tobytes() for path in paths]


def plausible(found: Any, expected: Any) -> bool:
    """Annotations are text without a checksum: keys, words or digits may be others, no more."""
    return len(found) in (len(expected), len(expected) - 1)


def written(file: Path, make: Act) -> Path:
    """The file, made."""
    make()
    return file


def extracted(run: RunDir) -> dict[str, torch.Tensor]:
    """The weights of the run's checkpoint."""
    shutil.rmtree(run.weights())
    try:
        extract(run)
        return load_model(run).state_dict()
    finally:
        if not run.weights().is_dir():
            run.weights().mkdir()


def library_files(folder: Path, kind: str) -> Iterator[tuple[str, Path, Act, Any]]:
    """The files of a library's rows in a store."""
    latents = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    entries = [Entry(TakeInfo(f"k{n}", f"k{n}.bvh", frames=40), 0.0, 2.0) for n in range(200)]
    create_store(Header("small", "m", "f", 16), folder, kind).replace([], entries, latents)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]

    def rows() -> list[tuple[str, list[float]]]:
        store = open_rows(folder)
        if store is None:
            raise InputError("no library")
        return [
            (entry.key, latent.tolist())
            for part, found in store.scan()
            for entry, latent in zip(part, found, strict=True)
        ]

    for file in files:
        name = re.sub(r"[0-9a-f-]{12,}", "*", file.relative_to(folder).as_posix())
        yield f"{kind} library, {name}", file, rows, lambda a, b: a == b


# Folders and archives from elsewhere --------------------------------------------------------------


def folders(place: Place) -> Faults:
    """Links in circles, pipes, devices, dead links, two names for one folder, many names."""
    takes = place.folder / "takes"
    takes.mkdir()
    (takes / "walk.bvh").write_text(person_bvh([(0, 90, 3 * t) for t in range(31)]))
    (takes / "circle").symlink_to(takes)
    (takes / "inside").mkdir()
    (takes / "inside" / "up").symlink_to("..")
    os.mkfifo(takes / "pipe.bvh")
    (takes / "dead.bvh").symlink_to("nowhere")
    (takes / "zero.npy").symlink_to("/dev/zero")
    (takes / "self.npy").symlink_to("self.npy")
    (takes / "folder.bvh").mkdir()
    (takes / "proc").symlink_to("/proc/self/fd")
    (takes / os.fsdecode(b"caf\xe9.bvh")).write_bytes(b"nothing")
    one = [takes / "walk.bvh"]

    def only_whole(read: Act) -> None:
        found = read()
        if found != one:
            raise NotHeld(f"found {found}")

    yield "files below links in circles", lambda: only_whole(lambda: motion_files(str(takes)))
    yield "the same, by the search", lambda: only_whole(lambda: find_files(takes, [".bvh"]).files)
    for path in sorted(takes.iterdir()):
        if path.suffix and path.name != "walk.bvh" and not path.is_dir():
            yield (
                f"reading {path.name!r}",
                partial(held, partial(read_motion, path)),
            )
    joints = place.folder / "joints"
    yield (
        "importing all of it",
        lambda: held(lambda: import_folder(takes, joints, processes=1), None, lambda a, b: True),
    )
    yield "the root of the machine", lambda: held(lambda: find_files(Path("/"), [".bvh"], 10_000))
    yield (
        "a folder with a dead folder",
        lambda: held(lambda: motion_files(str(takes / "inside" / "x")), None, lambda a, b: True),
    )


def result(place: Place) -> Path:
    """A new name for what a child found."""
    return place.folder / f"result-{place.random.randrange(10**12)}"


def paths(place: Place) -> Faults:
    """Paths of motions that leave their folder, in annotations, indices and tables."""
    release = place.folder / "release"
    for bad in (
        "../x",
        "/etc/passwd",
        "a/../../x",
        "..\\x",
        "C:\\x",
        "C:/x",
        "a\0b",
        "x" * 3000,
        "",
    ):
        for where in ("annotations", "index", "table"):
            yield f"{bad!r:.30} in {where}", partial(_bad_path, place, release, bad, where)
    secret = place.folder / "secret.txt"
    secret.write_text("root:x:0:0")
    for name in ("README.md", "environment.json", "contrastive_metrics/normal.yaml"):
        yield f"a push with {name} that is a link", partial(_pushed, place, name, secret)
    yield (
        "a push with a linked folder",
        partial(_pushed, place, "contrastive_metrics", place.folder),
    )


def _bad_path(place: Place, release: Path, bad: str, where: str) -> None:
    shutil.rmtree(release, ignore_errors=True)
    (release / "splits").mkdir(parents=True)
    if where == "annotations":
        write_json(
            release / "annotations.json", {"a": {"path": bad, "duration": 3, "annotations": []}}
        )
        held(lambda: read_annotations(release))
        return
    table = release / "table.csv"
    if where == "index":
        table.write_text(f'key,path,start,end\na,"{bad}",0,3\n')
        held(lambda: read_index(table))
    else:
        table.write_text(f'key,path,caption,start,end\na,"{bad}",walk,0,3\n')
        held(lambda: read_table(table, lambda path: (path, 3.0), {"val": 0.1, "test": 0.1}, False))


def _pushed(place: Place, name: str, secret: Path) -> None:
    """What a push would send of a run folder with a link that leads out of it."""
    run, target = RunDir(place.folder / "linked"), place.folder / "pushed"
    for folder in (run.root, target):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place.run.root, run.root, ignore=shutil.ignore_patterns("environment.json"))
    (run.root / name).parent.mkdir(exist_ok=True)
    (run.root / name).symlink_to(secret)
    export(run, RunDir(target), load_model(run), place.data.normalizer(), "last")
    for path in target.rglob("*"):
        if path.is_file() and b"root:x:0" in path.read_bytes():
            raise NotHeld(f"{path.relative_to(target)} would be published")


def bombs(place: Place, many: int = 3 << 30, some: int = 1 << 28) -> Faults:
    """Small files that would fill memory, each read in a process of its own, which is measured."""
    folder = place.folder / "bombs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    with gzip.open(folder / "annotations.json.gz", "wb", 1) as file:
        for _ in range(max(1, many >> 24)):
            file.write(bytes(min(many, 1 << 24)))
    yield "annotations.json.gz", partial(read_annotations, folder)
    zeros = folder / "texts.zip"
    with (
        zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("texts/0.txt", "w", force_zip64=True) as member,
    ):
        for _ in range(max(1, many >> 24)):
            member.write(bytes(min(many, 1 << 24)))
    (folder / "index.csv").write_text("key,path,start,end\n0,a,0,3\n")
    yield "texts.zip", partial(read_humanml3d, folder)
    weights = folder / "bomb.pt"
    torch.save({"x": torch.zeros(some // 4)}, folder / "plain.pt")
    with (
        zipfile.ZipFile(folder / "plain.pt") as plain,
        zipfile.ZipFile(weights, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in plain.infolist():
            archive.writestr(member.filename, plain.read(member))
    (folder / "plain.pt").unlink()
    yield "mean.pt of zeros, packed", partial(_statistics, folder, weights.read_bytes())
    for name, content in (
        ("header.npy", npy_header((2**46, 22, 3))),
        ("header.npz", npz(poses=npy_header((2**46, 156)))),
        ("zeros.npz", npz(poses=npy_header((some,)) + bytes(8 * some), trans=npy_header((3, 3)))),
        ("objects.npy", npy_of(pickle.dumps(partial(os.system, "touch CODE_RAN")))),
        ("deep.bvh", bvh(0, 1, 20_000)),
        ("wide.bvh", bvh(30_000, 1)),
        ("frames.bvh", bvh(50, 10**9)),
        ("deep.gltf", b"[" * 10**6),
        ("huge.glb", b"glTF" + (2).to_bytes(4, "little") + (2**32 - 1).to_bytes(4, "little") * 3),
    ):
        file = folder / name
        file.write_bytes(content)
        yield name, partial(read_motion, file)
    (folder / "features.npy").write_bytes(npy_header((2**46, 263)))
    yield "features of 150 TB", partial(read_features, folder / "features.npy")
    for name, content in (
        ("config of 200,000 brackets", "[" * 200_000),
        ("config of zeros", '{"a": [' + "0," * (some // 8) + "0]}"),
        ("config of a million keys", json.dumps({str(n): {} for n in range(some // 1000)})),
    ):
        run = folder / name.replace(" ", "_").replace(",", "")
        write_text(run / "config.json", content)
        yield name, RunDir(run).read_config
        write_text(run / "annotations.json", content)
        if "zeros" not in name:
            yield name.replace("config", "annotations"), partial(read_annotations, run)


def in_children(place: Place) -> Faults:
    """Bombs, each in a child."""
    for name, act in bombs(place):
        yield name, partial(in_a_child, act, result(place))


def _statistics(folder: Path, content: bytes) -> Normalizer:
    for name in ("mean", "std"):
        (folder / f"{name}.pt").write_bytes(content)
    return Normalizer.load(folder)


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file of float64."""
    made = io.BytesIO()
    record = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(made, record)
    return made.getvalue()


def npy_of(pickled: bytes) -> bytes:
    """A .npy file of objects, which are pickled."""
    made = io.BytesIO()
    record = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(made, record)
    return made.getvalue() + pickled


def npz(**members: bytes) -> bytes:
    """An archive of arrays."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return made.getvalue()


def bvh(joints: int, frames: int, depth: int = 0) -> bytes:
    """A BVH file without its motion, of joints beside and below each other."""
    inside = "JOINT j\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    body = f"{inside}}}\n" * joints + inside * depth + "}\n" * depth
    root = "ROOT r\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
    return f"HIERARCHY\n{root}{body}}}\nMOTION\nFrames: {frames}\nFrame Time: 0.01\n".encode()

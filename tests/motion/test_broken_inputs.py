"""200 broken files in folders with a whole one: refused or noted by name, or read right."""

import io
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.motion.bvh_text import STANDING, person_bvh
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.preprocessing import import_folder
from tmr.motion.skeleton import JOINTS

WALK = person_bvh([(0, 90, 1.5 * t) for t in range(9)], frame_time="0.05")
_STEPS = np.linspace(0, 0.3, 9)[:, None, None] * [0, 0, 1]
ARRAY = np.array([STANDING[name] for name in JOINTS]) + _STEPS
MISREAD = 0.25  # meters that a result may be off without a word: a bit may fall out of a number

# Powers of ten, most of them absurd, and inches, feet and the unit of CMU.
FACTORS = [*(10.0**power for power in range(-12, 13)), 1 / 0.0254, 1 / 0.3048, 0.45 / 0.0254]
JUNK = ["", "x", "nan", "-inf", "1e999", "1e30", "0x1F", "1,5", "--3", "{", "}", "JOINT", "\0"]


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def cut(content: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(0, len(content) - 1).map(lambda end: content[:end])


def flipped(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with a few bytes exchanged."""
    places = st.lists(
        st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=4
    )

    def exchange(places: list[tuple[int, int]]) -> bytes:
        changed = bytearray(content)
        for place, value in places:
            changed[place] = value
        return bytes(changed)

    return places.map(exchange)


@st.composite
def word_exchanged(draw: st.DrawFn) -> str:
    lines = WALK.split("\n")
    number = draw(st.integers(0, len(lines) - 1))
    words = lines[number].split()
    words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(JUNK))
    lines[number] = " ".join(words)
    return "\n".join(lines)


@st.composite
def line_lost_or_doubled(draw: st.DrawFn) -> str:
    lines = WALK.split("\n")
    number = draw(st.integers(0, len(lines) - 1))
    lines[number : number + 1] = [lines[number]] * draw(st.sampled_from([0, 2]))
    return "\n".join(lines)


def with_value(place: tuple[int, int, int], value: float) -> bytes:
    array = ARRAY.copy()
    array[place] = value
    return npy(array)


_places = st.tuples(*(st.integers(0, n - 1) for n in ARRAY.shape))
_absurd = st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -4e9, 1e5])
_shapes = st.sampled_from([(9, 21, 3), (9, 66), (0, 22, 3), (9, 22, 2), (22, 3), (), (9, 23, 3)])

BROKEN: dict[str, st.SearchStrategy[str | bytes]] = {
    "cut.bvh": cut(WALK.encode()),
    "word.bvh": word_exchanged(),
    "line.bvh": line_lost_or_doubled(),
    "bytes.bvh": flipped(WALK.encode()),
    "rate.bvh": st.sampled_from(["0", "-1", "1e-9", "7200", "1e308", "1e", "fast"]).map(
        lambda time: WALK.replace("0.05", time)
    ),
    "counts.bvh": st.integers(-2, 10**25).filter(lambda n: n != 9).map(
        lambda n: WALK.replace("Frames: 9", f"Frames: {n}")
    ),
    "rubbish.bvh": st.binary(max_size=300),
    "rubbish.npy": st.binary(max_size=300),
    "rubbish.npz": st.binary(max_size=300),
    "empty.npy": st.just(b""),
    "cut.npy": cut(npy(ARRAY)),
    "bytes.npy": flipped(npy(ARRAY)),
    "header.npy": flipped(npy(ARRAY)[:128]).map(lambda head: head + npy(ARRAY)[128:]),
    "unit.npy": st.sampled_from(FACTORS).map(lambda factor: npy(ARRAY * factor)),
    "axes.npy": st.sampled_from([[1, 1, -1], [-1, 1, 1], [1, -1, 1]]).map(
        lambda signs: npy(ARRAY * signs)
    ),
    "value.npy": st.builds(with_value, _places, _absurd),
    "shape.npy": _shapes.map(lambda shape: npy(np.ones(shape))),
    "kind.npy": st.sampled_from(["U9", "c16", "?", "M8[s]"]).map(
        lambda kind: npy(ARRAY.astype("i8").astype(kind))
    ),
}  # fmt: skip


@st.composite
def broken_files(draw: st.DrawFn, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """Ten broken files by name."""
    kinds = sorted(kind for kind in BROKEN if kind.endswith(suffixes))
    files = {}
    for i in range(10):
        kind = draw(st.sampled_from(kinds))
        content = draw(BROKEN[kind])
        files[f"{i}_{kind}"] = content.encode() if isinstance(content, str) else content
    return files


@pytest.mark.parametrize(
    ("suffixes", "fps"), [((".bvh", ".npz"), None), ((".npy",), 20)], ids=["files", "arrays"]
)
def test_broken_files_are_named_or_read_right_and_the_others_go_on(
    tmp_path_factory, caplog, suffixes, fps
):
    body_models = tmp_path_factory.mktemp("body_models")
    overrides = Overrides(fps=fps, up="y", body_models=str(body_models))

    @settings(
        max_examples=10, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate],  # ten files are few enough to see which one it was
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(broken_files(suffixes))
    def check(files: dict[str, bytes]) -> None:
        folder = tmp_path_factory.mktemp("broken")
        takes, joints = folder / "takes", folder / "joints"
        takes.mkdir()
        (takes / "whole.bvh").write_text(WALK)
        for name, content in files.items():
            (takes / name).write_bytes(content)
        caplog.clear()
        refused = ""
        with caplog.at_level(logging.WARNING):
            try:
                import_folder(takes, joints, overrides, processes=1)
            except InputError as error:
                refused = str(error)

        whole = np.load(joints / "whole.npy")
        assert np.allclose(whole[:, 0], [(0, 0.9, 0.015 * t) for t in range(9)], atol=1e-5)
        assert "unexpected" not in caplog.text
        for name in files:
            written = (joints / name).with_suffix(".npy")
            if not (name in refused or name in caplog.text):
                meant = ARRAY if name.endswith(".npy") else whole
                read = np.load(written)
                assert read.shape == meant.shape, name
                assert np.abs(read - meant).max() < MISREAD, name

    check()

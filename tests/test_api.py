"""The Python API: golden outputs, what it must not notice, and what it must leave alone."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tmr
from tests.bodies import walk_features
from tests.processes import CONTEXT
from tmr.data import Batch, Normalizer
from tmr.errors import InputError
from tmr.sequences import pack
from tmr.text import TextModel

CAPTIONS = [
    f"a person {verb} {how}"
    for verb in ("walks", "runs", "jumps", "bows", "waves", "kicks", "dances", "turns")
    for how in ("slowly", "to the left", "angrily", "twice")
]
RNG = np.random.default_rng(0)
MOTIONS = [walk_features(length, length) for length in (40, 7, 25, 64, 1)]


class Cached(TextModel):
    """Token states that were computed elsewhere, by caption."""

    def tokens(self, captions: Sequence[str]) -> list[np.ndarray]:
        golden = dict(np.load(self.token_model))
        return [golden[caption] for caption in captions]


@pytest.fixture(scope="module")
def model(shared: Path) -> "tmr.Model":
    return tmr.load(shared / "golden" / "bandai_run")


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "model.npz"))


@pytest.fixture
def golden_model(shared: Path, tmp_path: Path) -> "tmr.Model":
    """The golden run with statistics that change nothing, and its golden token states."""
    run = tmp_path / "run"
    shutil.copytree(shared / "golden" / "run", run)
    Normalizer(torch.zeros(263), torch.ones(263)).save(run / "stats")
    tokens = Cached("golden", str(shared / "golden" / "model.npz"), "", 48)
    return dataclasses.replace(tmr.load(run), text_model=tokens)


def close(found: Tensor, expected: np.ndarray) -> bool:
    """Within 1e-5 of the largest value."""
    error = np.abs(found.numpy() - expected).max()
    return bool(error < 1e-5 * np.abs(expected).max())


def test_golden_latents_come_from_the_api(
    golden_model: "tmr.Model", golden: dict[str, np.ndarray]
) -> None:
    motions = [golden[f"motion_{i}"] for i in range(4)]
    texts = [f"tokens_{i}" for i in range(4)]
    assert close(golden_model.encode_motions(motions, check=False), golden["motion_mu"])
    assert close(golden_model.encode_texts(texts), golden["text_mu"])
    a, b = (golden[f"{name}_mu"] for name in ("text", "motion"))
    cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    assert close(golden_model.score(texts, motions, check=False), (1 + cosine) / 2)


def test_golden_motions_and_losses_come_from_the_api(
    golden_model: "tmr.Model", golden: dict[str, np.ndarray]
) -> None:
    motions = [golden[f"motion_{i}"] for i in range(4)]
    lengths = [len(motion) for motion in motions]
    decoded = golden_model.decode(torch.from_numpy(golden["text_mu"]), lengths)
    for i, motion in enumerate(decoded):
        assert close(motion, golden["decoded_from_text"][i, : lengths[i]])
    batch = Batch(
        keys=tuple("0123"),
        captions=tuple("0123"),
        motion=pack([torch.from_numpy(motion) for motion in motions]),
        text=pack([torch.from_numpy(golden[f"tokens_{i}"]) for i in range(4)]),
        sentences=torch.from_numpy(golden["sent_emb"]),
    )
    losses = golden_model.network(batch).losses
    assert {f"loss_{name}" for name in losses} == {n for n in golden if n.startswith("loss_")}
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(golden[f"loss_{name}"].item(), rel=1e-5)


def test_a_loaded_model_carries_its_config_and_its_statistics(
    model: "tmr.Model", shared: Path
) -> None:
    assert model.config["model"]["motion_encoder"]["latent_dim"] == 128
    assert model.text_model.name == "minilm"
    mean = torch.load(shared / "golden" / "bandai_run" / "stats" / "mean.pt", weights_only=True)
    assert torch.equal(model.normalizer.mean, mean)


def test_joints_and_their_features_have_the_same_latent(model: "tmr.Model", shared: Path) -> None:
    golden = np.load(shared / "golden" / "features.npz")
    names = [name.removesuffix(".joints") for name in golden if name.endswith(".joints")]
    joints = [golden[f"{name}.joints"] for name in names]
    features = [golden[f"{name}.feats"] for name in names]
    from_joints, from_features = model.encode_motions(joints), model.encode_motions(features)
    cosine = torch.cosine_similarity(from_joints, from_features)
    assert cosine.min() > 1 - 1e-4
    tensors = [torch.from_numpy(joint).double() for joint in joints]
    assert torch.equal(model.encode_motions(tensors), from_joints)


@pytest.mark.parametrize("batch_size", [2, 64])
def test_latents_do_not_depend_on_their_neighbors(model: "tmr.Model", batch_size: int) -> None:
    alone = torch.cat([model.encode_motions([motion]) for motion in MOTIONS])
    assert torch.allclose(model.encode_motions(MOTIONS, batch_size), alone, atol=1e-5)
    texts = [CAPTIONS[0], "a", CAPTIONS[5], CAPTIONS[0]]
    alone = torch.cat([model.encode_texts([text]) for text in texts])
    together = model.encode_texts(texts, batch_size)
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.equal(together[0], together[3])


def test_motions_are_normalized_with_the_statistics_of_the_run(model: "tmr.Model") -> None:
    mean, std = model.normalizer.mean, model.normalizer.std
    motion = torch.from_numpy(MOTIONS[0])
    expected = model.network.encode_motion(pack([(motion - mean) / (std + 1e-12)])).mu
    assert torch.allclose(model.encode_motions([MOTIONS[0]]), expected, atol=1e-6)


def test_nothing_of_the_caller_is_touched(
    shared: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Gradient mode, training mode, random state, inputs, output streams; the copied folder too."""
    run = tmp_path / "run"
    shutil.copytree(shared / "golden" / "bandai_run", run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    state = torch.random.get_rng_state()
    motions = [motion.copy() for motion in MOTIONS]
    model = tmr.load(run)
    model.network.train()
    model.network.text_encoder.eval()
    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            latents = model.encode_texts(["a person walks"])
            figures = tmr.evaluate_generation(model, CAPTIONS, [MOTIONS[0]] * 32, [MOTIONS[2]] * 32)
            assert torch.is_grad_enabled() is mode
    assert figures["motion_score"] <= 1
    assert not latents.requires_grad
    assert not latents.is_inference(), "a latent can take part in a loss"
    assert model.network.training
    assert model.network.motion_encoder.training
    assert not model.network.text_encoder.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(np.array_equal(a, b) for a, b in zip(motions, MOTIONS, strict=True))
    assert capfd.readouterr() == ("", "")
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_mean_of_a_text_is_what_the_decoder_makes_of_its_latent(model: "tmr.Model") -> None:
    frames = [50, 30]
    expected = model.decode(model.encode_texts(CAPTIONS[:2]), frames)
    found = model.generate(CAPTIONS[:2], [n / 20 for n in frames], samples=2, fact=0.0)
    for motions, motion in zip(found, expected, strict=True):
        for same in motions:
            assert torch.allclose(same, motion, atol=1e-5)


def test_generated_motions_depend_on_seed_and_text_alone(model: "tmr.Model") -> None:
    state = torch.random.get_rng_state()
    together = model.generate(CAPTIONS[:5], [2.0, 1.0, 3.0, 2.5, 0.5], samples=3, batch_size=4)
    assert [[len(m) for m in motions] for motions in together] == [
        [n] * 3 for n in (40, 20, 60, 50, 10)
    ]
    (alone,) = model.generate([CAPTIONS[2]], 3.0, samples=2)
    for motion, same in zip(alone, together[2][:2], strict=True):
        assert torch.allclose(motion, same, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1], atol=1e-2)
    ((other,),) = model.generate([CAPTIONS[2]], 3.0, seed=1)
    assert not torch.allclose(other, alone[0], atol=1e-2)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_way_between_texts_begins_and_ends_at_their_motions(model: "tmr.Model") -> None:
    way = model.interpolate(CAPTIONS[0], CAPTIONS[9], 2.0, steps=4, fact=1.0, seed=2)
    (first,), (last,) = model.generate([CAPTIONS[0], CAPTIONS[9]], 2.0, seed=2)
    assert len(way) == 4
    assert torch.allclose(way[0], first, atol=1e-4)
    assert torch.allclose(way[-1], last, atol=1e-4)
    distances = [float((motion - first).square().mean()) for motion in way]
    assert distances == sorted(distances)


def test_generation_refuses_what_it_cannot_make(model: "tmr.Model") -> None:
    for seconds in (0.4, 10.5):
        with pytest.raises(InputError, match=r"expected 0\.5 to 10"):
            model.generate(["a person walks"], seconds)
    with pytest.raises(InputError, match="found 1 lengths for 2 texts"):
        model.generate(CAPTIONS[:2], [2.0])
    with pytest.raises(InputError, match="at least one text"):
        model.generate([], 2.0)


def test_another_text_model_than_that_of_the_training_is_named(
    golden_model: "tmr.Model",
) -> None:
    with pytest.raises(InputError, match=r"reads token states of 48 numbers, .* golden gives \d"):
        golden_model.encode_texts(["sent_emb"])


def test_dropout_is_off_even_when_the_network_is_in_training(model: "tmr.Model") -> None:
    expected = model.encode_motions(MOTIONS)
    model.network.train()
    try:
        assert torch.equal(model.encode_motions(MOTIONS), expected)
    finally:
        model.network.eval()


def test_bf16_keeps_the_scores_to_a_hundredth(shared: Path, model: "tmr.Model") -> None:
    fast = tmr.load(shared / "golden" / "bandai_run", precision="bf16")
    assert fast.encode_motions(MOTIONS).dtype == torch.float32
    difference = fast.score(CAPTIONS, MOTIONS) - model.score(CAPTIONS, MOTIONS)
    assert difference.abs().max() < 0.01
    with pytest.raises(InputError, match="precision=fp8: expected one of fp32, bf16"):
        dataclasses.replace(model, precision="fp8").encode_motions(MOTIONS)


@pytest.mark.parametrize(
    ("motion", "message"),
    [
        (
            np.zeros((10, 66)),
            r"motion 2 of 2: found an array of shape \(10, 66\)",
        ),
        (np.zeros(263), r"shape \(263,\)"),
        (np.zeros((0, 263)), r"shape \(0, 263\)"),
        (np.full((4, 263), np.nan), "NaN"),
        (np.array([["a"] * 263]), "no numbers"),
        (np.zeros((10, 21, 3)), "found 21 joints: not of KIT-ML"),
        (np.zeros((1, 22, 3)), r"found 1 frame\(s\), expected at least 2"),
        (np.full((4, 22, 3), np.inf), "frame 0: the position of pelvis is NaN or infinite"),
        (np.zeros((4, 22, 3)), "in the same place as its parent"),
    ],
)
def test_a_motion_that_cannot_be_used_is_named(
    model: "tmr.Model", motion: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model.encode_motions([MOTIONS[0], motion])


def test_an_array_of_motions_is_a_list_of_them_and_a_motion_is_not(model: "tmr.Model") -> None:
    array = np.stack([MOTIONS[0], walk_features(40, 9)])
    assert torch.equal(model.encode_motions(array), model.encode_motions(list(array)))
    with pytest.raises(InputError, match=r"motion 1 of 40: found an array of shape \(263,\)"):
        model.encode_motions(MOTIONS[0])
    with pytest.raises(InputError, match="expected a list of at least one motion, found none"):
        model.encode_motions([])


def test_what_cannot_be_loaded_says_why(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder at"):
        tmr.load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no motion_encoder weights in .*best_weights"):
        tmr.load(shared / "golden" / "bandai_run", ckpt="best")
    run = tmp_path / "run"
    shutil.copytree(shared / "golden" / "run", run)
    config = json.loads((run / "config.json").read_text())
    config["data"]["motion_loader"]["normalizer"]["base_dir"] = "nowhere"
    (run / "config.json").write_text(json.dumps(config))
    without_statistics = tmr.load(run)
    with pytest.raises(InputError, match=r"^no statistics.safetensors in nowhere"):
        without_statistics.encode_motions(MOTIONS)


def test_texts_of_any_iterable_are_embedded_once(
    model: "tmr.Model", monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model.encode_texts(CAPTIONS[:3])
    embedded: list[str] = []
    tokens = TextModel.tokens

    def recorded(self: TextModel, captions: Sequence[str]):
        embedded.extend(captions)
        return tokens(self, captions)

    monkeypatch.setattr(TextModel, "tokens", recorded)
    new = "a person balances on a beam"
    for texts in (
        iter(CAPTIONS[:3]),
        np.array(CAPTIONS[:3]),
        dict.fromkeys(CAPTIONS[:3]),
        tuple(CAPTIONS[:3]),
    ):
        assert torch.allclose(model.encode_texts(texts), expected, atol=1e-6)
    assert embedded == []
    model.encode_texts([new, CAPTIONS[0], new])
    model.score([new], MOTIONS)
    assert embedded == [new]


def test_a_model_saved_loads_again(model: "tmr.Model", tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "saved")
    again = tmr.Model.from_pretrained(tmp_path / "saved").to("cpu")
    assert torch.equal(again.encode(MOTIONS), model.encode(MOTIONS))
    assert torch.equal(again.encode(CAPTIONS[:2]), model.encode(CAPTIONS[:2]))
    assert repr(again) == (
        "Model('saved', TMR, dim=128, text='minilm', device='cpu', precision='fp32')"
    )
    with pytest.raises(InputError, match=r"no such device|sees no GPU|expected"):
        again.to("cuda:7" if not torch.cuda.is_available() else "nowhere")


def test_generation_is_judged_the_same_from_motions_and_from_latents(model: "tmr.Model") -> None:
    generated = [[walk_features(12, 2 * i + j) for j in range(2)] for i in range(32)]
    reference = [walk_features(9, i) for i in range(32)]
    figures = tmr.evaluate_generation(model, CAPTIONS, generated, reference)
    assert figures["multimodality"] > 0
    firsts, seconds = (model.encode_motions([pair[i] for pair in generated]) for i in (0, 1))
    latents = torch.stack([firsts, seconds], dim=1)
    texts, real = model.encode_texts(CAPTIONS), model.encode_motions(reference)
    assert tmr.evaluate_generation(model, texts, latents, real) == pytest.approx(figures, rel=1e-4)
    one = tmr.evaluate_generation(model, texts, [pair[0] for pair in generated], real)
    assert one == pytest.approx(tmr.evaluate_generation(model, texts, firsts, real), rel=1e-4)
    assert "multimodality" not in one


def test_generation_of_other_numbers_is_refused(model: "tmr.Model") -> None:
    motions = [MOTIONS[1]] * 32
    with pytest.raises(InputError, match="32 texts, 31 generated and 32 reference"):
        tmr.evaluate_generation(model, CAPTIONS, motions[1:], motions)
    with pytest.raises(InputError, match=r"\[1, 2\] generated motions for a text"):
        tmr.evaluate_generation(model, CAPTIONS, [*motions[1:], [MOTIONS[1]] * 2], motions)
    with pytest.raises(InputError, match="batches of 32; found 31 texts"):
        tmr.evaluate_generation(model, CAPTIONS[1:], motions[1:], motions[1:])


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'hydra', 'transformers'}"
    code = f"import sys, tmr; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tmr.nothing


def test_wrong_types_are_refused_in_one_line(shared: Path) -> None:
    # In a process without the import hook, which would refuse them first.
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        assert pool.submit(_outcomes_of_wrong_types, shared).result() == {}


def _outcomes_of_wrong_types(shared: Path) -> dict[str, str]:
    """What was not refused by an InputError, with what came instead."""
    features = walk_features(60)
    model = tmr.load(shared / "golden" / "bandai_run")
    takes = {"a": features, "b": features[::-1]}
    library = tmr.Library.of_folder(shared / "cases" / "03-paths-with-signs", model)
    library.add(takes, captions={"a": "one caption"}, tags="good")
    take = library.entry("a").take
    nothing = torch.zeros(model.dim)
    evaluate = partial(tmr.evaluate_generation, model)
    wrong: dict[str, Callable[[], Any]] = {
        "load": lambda: tmr.load(5),  # type: ignore
        "encode": lambda: model.encode(None),  # type: ignore
        "half a character": lambda: model.encode_texts(["\ud83d"]),
        "batch_size": lambda: model.encode_motions([features], batch_size=0),
        "fps": lambda: model.encode_motions([features], fps="x"),  # type: ignore
        "lengths": lambda: model.encode_motions([features], lengths=5),  # type: ignore
        "normalized_by": lambda: model.encode_motions([features], normalized_by=3),  # type: ignore
        "seconds": lambda: model.generate(["a"], "2"),  # type: ignore
        "top": lambda: library.search("a", "3"),  # type: ignore
        "half": lambda: library.search("a", 2.5),  # type: ignore
        "where": lambda: library.search("a", 1, 5),  # type: ignore
        "short latent": lambda: library.search(nothing[:3]),
        "zero latent": lambda: library.search(nothing),
        "nan": lambda: library.search(nothing * torch.nan),
        "span": lambda: library.joints("walk", 5, 9),
        "captions": lambda: library.add(takes, captions=["one"]),  # type: ignore
        "key": lambda: library.add({5: features}),  # type: ignore
        "save": lambda: library.save(""),
        "folder": lambda: tmr.Library.of_folder(5, model),  # type: ignore
        "encoder": lambda: tmr.Library.of_folder(shared / "cases", "models/open"),  # type: ignore
        "windows": lambda: tmr.Library.of_folder(shared / "cases", model, windows=["a"]),  # type: ignore
        "animate": lambda: tmr.animate(None),  # type: ignore
        "generated": lambda: evaluate(["a"] * 40, None),
        "batch": lambda: evaluate(["a"] * 40, nothing.expand(40, -1), batch="x"),  # type: ignore
        "nothing": lambda: evaluate(torch.rand(0, 5), torch.rand(0, 5)),
        "two models": lambda: evaluate(torch.rand(40, 5), torch.rand(40, 6)),
        "nan latents": lambda: evaluate(torch.rand(40, 5), torch.rand(40, 5) * torch.nan),
    }
    found: dict[str, str] = {}
    if (take.captions, take.tags) != (("one caption",), ("good",)):
        found["one string"] = str(take)
    for name, call in wrong.items():
        try:
            found[name] = f"returned {call()!r}"
        except tmr.InputError:
            continue
        except Exception as error:
            found[name] = repr(error)
    return found

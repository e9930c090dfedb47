"""What is typed as a text, a path or a name is what every command gets."""

import importlib
import inspect
import string
from functools import cache

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tests.workspace import ROOT
from tmr.commands import cli
from tmr.commands.arguments import to_hydra, translated
from tmr.commands.help import ConfigFile
from tmr.commands.options import File, Text, Word, check, kind_of
from tmr.errors import InputError

CONFIGS = ROOT / "configs"
COMMANDS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
LITERAL = [
    (command, option)
    for command in COMMANDS
    for option in [*ConfigFile(CONFIGS, command).options(), "data.motions", "options.index"]
    if isinstance(kind_of(command, option), Text | File | Word)
]
SENTENCES = [
    "a person walks, then jumps", "it's a jump", 'he says "go"', '"a walk" - 0.5 "a turn"', "'a'",
    '"', "null", "true", "1e3", "007", "a=b", "R&D", "does he walk (slowly)?", "[raw]", "[a, b]",
    "{a: 1}", "läuft", "人が歩く", "walks 🚶", "ends with a blank ", " ", "a\\", "100%", "${seed}",
    "$HOME", "a: b", "#1", "~x", "-m", "--help", "a\nb", "e\u0301",
]  # fmt: skip
FOLDERS = ["takes (1)", "José", "a,b", "lr=0.1", "it's", "a&b", "[raw]", "ex!", "1e3", "a b ", "#"]


@cache
def groups_of(command: str) -> dict[str, str | None]:
    return ConfigFile(CONFIGS, command).groups()


def understood(command: str, argument: str) -> object:
    """The value that a command reads from its config."""
    (read,) = to_hydra(command, [argument], groups_of(command))
    parsed = OverridesParser.create().parse_override(read)
    return OmegaConf.create({"value": parsed.value()}).value


def test_there_are_texts_and_paths_to_try() -> None:
    assert {("search", "text"), ("train", "run_dir"), ("app", "run_dir")} < set(LITERAL)
    assert len(LITERAL) > 60


@pytest.mark.parametrize("value", SENTENCES + FOLDERS)
def test_every_command_takes_it_as_it_is_typed(value: str) -> None:
    # Every fifth option: together the values try all of them.
    for command, option in LITERAL[(SENTENCES + FOLDERS).index(value) % 5 :: 5]:
        kind = kind_of(command, option)
        if value == "null" and not isinstance(kind, Text):
            assert understood(command, f"{option}={value}") is None
        elif not ("${" in value and isinstance(kind, File)):
            assert understood(command, f"{option}={value}") == value, (command, option)


@given(
    st.sampled_from(LITERAL),
    st.text(alphabet=st.sampled_from("ab$\\{}'\", =[]()\n:é&?!#%" + string.digits), max_size=12)
    | st.text(max_size=12),
)
def test_any_text_arrives(place: tuple[str, str], value: str) -> None:
    command, option = place
    kind = kind_of(command, option)
    assume(isinstance(kind, Text) or (value != "null" and "${" not in value))
    assume("\0" not in value and not value.startswith('["'))
    value = value.encode("utf-8", "ignore").decode()
    assert understood(command, f"{option}={value}") == value


def test_a_list_of_quoted_texts_is_several_texts() -> None:
    assert understood("encode_text", 'text=["a, b", "it\'s"]') == ["a, b", "it's"]
    assert understood("text_motion_sim", 'npy=["a (1).npy", "b.bvh"]') == ["a (1).npy", "b.bvh"]
    assert understood("search", 'text=["a, b"]') == '["a, b"]'
    assert understood("generate", 'to=["a, b"]') == '["a, b"]'


def test_references_in_paths_and_whole_sweeps_stay_hydras() -> None:
    assert to_hydra("train", ["run_dir=out (1)/${seed}"], {}) == ["run_dir='out (1)/${seed}'"]
    sweep = ["-m", "seed=1,2", "run_dir=outputs/${seed}"]
    assert to_hydra("train", sweep, {}) == sweep
    others = ["start=1.5", "--cfg", "job", "~experiment"]
    assert to_hydra("encode_motion", others, {}) == others


def test_a_group_needs_no_plus() -> None:
    assert to_hydra("train", ["+experiment=quickstart"], {"experiment"}) == [
        "experiment=quickstart"
    ]


@pytest.mark.parametrize("arguments", [["--run_dir", "R"], ["--run_dir=R"], ["-run_dir", "R"]])
def test_options_with_dashes_are_answered_with_ours(arguments: list[str]) -> None:
    with pytest.raises(InputError, match=r"options are written name=value, here run_dir=R"):
        to_hydra("app", arguments, {})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_each_option_of_its_config(command: str) -> None:
    file = ConfigFile(CONFIGS, command)
    function = getattr(importlib.import_module(f"tmr.commands.{command}"), command)
    parameters = inspect.signature(function).parameters
    options = [*file.options(), *(group for group in file.groups() if group != "experiment")]
    if "VAR_KEYWORD" not in {p.kind.name for p in parameters.values()}:
        assert set(parameters) - {"overrides"} == set(options)
    script = ROOT / f"{command}.py"
    script = script if script.is_file() else ROOT / "prepare" / script.name
    assert "run(__file__)" in script.read_text()
    assert len(script.read_text().splitlines()) <= 40


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_kind_and_the_help_page_shows_it(command: str) -> None:
    file = ConfigFile(CONFIGS, command)
    page = file.help_page()
    for option in file.options():
        nested = option in ("items", "options", "repeats", "scoring", "size", "windows")
        assert nested or kind_of(command, option) is not None, option
        assert f"\n{option}:" in page
    for group in file.groups():
        assert f"\n  {group}=" in page
        assert file.choices(group)
    assert page.count("\nrun_dir:") <= 1
    assert file.example() is not None


@pytest.mark.parametrize(
    ("command", "argument", "message"),
    [
        ("search", "top=abc", "top=abc: expected a whole number, at least 1"),
        ("search", "top=-1", "top=-1: expected a whole number, at least 1"),
        ("train", "lr=abc", "lr=abc: expected a number above 0"),
        ("train", "lr=0", "lr=0: expected a number above 0"),
        ("train", "batch_size=0", "batch_size=0: expected a whole number, at least 1"),
        ("train", "batch_size=1.5", "batch_size=1.5: expected a whole number, at least 1"),
        ("train", "trainer.max_epochs=-3", "trainer.max_epochs=-3: expected a whole number"),
        ("train", "debug=yes please", "debug=yes please: expected true or false"),
        ("app", "port=80000", "port=80000: expected a whole number from 0 to 65535"),
        ("app", "port=true", "port=True: expected a whole number from 0 to 65535"),
        ("download", "what=weights", "what=weights: expected one of pretrain_models, annotations"),
        ("encode_motion", "start=nan", "start=nan: expected a number"),
    ],
)
def test_a_wrong_value_is_refused_before_the_command_starts(
    command: str, argument: str, message: str
) -> None:
    required = {
        "search": ["run_dir=nowhere", "text=x"],
        "encode_motion": ["run_dir=nowhere", "npy=x"],
    }
    with pytest.raises(InputError) as refusal:
        cli.call(CONFIGS, command, *required.get(command, []), argument)
    assert str(refusal.value).startswith(message)


def test_names_of_the_original_are_translated_with_a_line() -> None:
    options = {"ckpt", "protocols", "batch_size", "language_model", "run_dir"}
    ours, notes = translated(["ckpt_name=best", "text=minilm"], options)
    assert ours == ["ckpt=best", "language_model=minilm"]
    assert notes == [
        "ckpt_name=best is ckpt=best here",
        "text=minilm is language_model=minilm here",
    ]
    assert translated(["text=a walk"], {"text", "run_dir"}) == (["text=a walk"], [])
    assert translated(["protocol=all"], options)[0] == ["protocols=null"]
    assert translated(["protocol=normal"], options)[0] == ["protocols=normal"]
    ours, notes = translated(["dataloader.batch_size=64", "dataloader.num_workers=8"], options)
    assert ours == ["batch_size=64"]
    assert len(notes) == 2
    training = {"model", "lr", "debug", "trainer"}
    assert translated(["model.lr=1e-3", "+debug=train"], training)[0] == ["lr=1e-3", "debug=true"]
    weights = translated(["model.lmd.kl=1e-4"], training)[0]
    assert weights == ["model.loss_weights.kl=1e-4"]


def test_any_option_of_the_trainer_may_be_given() -> None:
    config = cli.compose(CONFIGS, "train", "trainer.profiler=simple", "trainer.max_epochs=3")
    assert config["trainer"]["profiler"] == "simple"
    assert config["trainer"]["max_epochs"] == 3


@pytest.mark.parametrize("name", ["../mine", "/mine", "mine/../..", r"..\mine", r"C:\mine", ""])
def test_names_do_not_lead_out_of_their_folder(name: str) -> None:
    for option in ("name", "split", "data.name", "ckpt"):
        with pytest.raises(InputError, match="expected a name below the folder"):
            check("import_motions", {option: name})
    check("import_motions", {"name": "deep/mine..", "split": None})

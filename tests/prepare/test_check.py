"""The commands check, nsim_split and combine, on the prepared data of the quickstart."""

from matplotlib.image import imread

from tests.workspace import Workspace

EMBEDDED = "data=synthetic text=minilm"


def test_check_finds_the_quickstart_ready_and_draws_it(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    printed = workspace.succeed(f"python -m prepare.check {EMBEDDED}")
    assert "synthetic is ready" in printed and "problem" not in printed
    picture = imread(workspace.folder / "outputs" / "check" / "synthetic.png")
    assert picture.shape[0] > picture.shape[1] > 1000
    assert len({tuple(pixel) for pixel in picture[::7, ::7, :3].reshape(-1, 3).tolist()}) > 20


def test_check_of_missing_statistics_ends_with_code_1(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    done = workspace.run(f"python -m prepare.check {EMBEDDED} data.stats=nowhere sheet=null")
    assert done.returncode == 1
    assert "python -m prepare.motion_stats data=synthetic" in done.stdout
    assert "not ready: 1 problems" in done.stdout


def test_the_dissimilar_split_is_the_same_again(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    command = f"python -m prepare.nsim_split {EMBEDDED} size=10 output=few"
    splits = workspace.folder / "datasets" / "annotations" / "synthetic" / "splits"
    assert "wrote 10 of 120 keys" in workspace.succeed(command)
    first = (splits / "few.txt").read_text()
    assert "overwrite=true" in workspace.refuse(command)
    workspace.succeed(f"{command} overwrite=true")
    assert (splits / "few.txt").read_text() == first
    assert set(first.split()) <= set((splits / "test.txt").read_text().split())
    (splits / "few.txt").unlink()

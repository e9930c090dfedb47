"""The page in a real browser, served by the command that people type.

TMR_PAGE is the address of an open page on the embedded data to look at, in place of a small
library.
"""

import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.workspace import Workspace
from tmr.motion.features import features_to_joints
from tmr.motion.read import read_motion
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.skeleton import FPS

expect.set_options(timeout=60_000)  # milliseconds: other tests keep the cores busy
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the network is cut
]
VIEW = "document.querySelector('.results-view').parentElement.resultsView"
SEEN_FROM = f"large.camera.position.clone().sub({VIEW}.large.controls.target)"
TABS = ["Search", "Combine", "By example", "Moments", "Library"]
WIDTH, HEIGHT = 1280, 860
PHONE = 390  # pixels across
Scheme = Literal["light", "dark"]
TAKES = ("07_12", "09_12", "132_03")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every address that the browser asked for, and every error that it met."""
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, address: str, asked: list[str]) -> Page:
    """The page in a window that all tests share; each leaves it usable.

    Its user prefers reduced motion: nothing moves, and is drawn, until a test wants it to.
    """
    return opened(browser, address, asked)


@pytest.fixture(autouse=True)
def standstill(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop the viewer after each test: drawing takes the processor that the next one needs."""
    yield
    if "page" in request.fixturenames:
        in_view(request.getfixturevalue("page"), "play(false)")


@pytest.fixture(scope="module")
def takes(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three real takes as BVH files."""
    folder = tmp_path_factory.mktemp("takes") / "studio"
    with tarfile.open(shared / "data/cmu/cmu_src.tar.xz", "r|xz") as archive:
        for member in archive:
            if member.name in {f"./mb2/{take}.bvh" for take in TAKES}:
                member.name = Path(member.name).name
                archive.extract(member, folder, filter="data")
                if len(list(folder.iterdir())) == len(TAKES):
                    return folder
    raise AssertionError(f"the archive has not all of {TAKES}")


def opened(browser: Browser, address: str, asked: list[str]) -> Page:
    viewport: ViewportSize = {"width": WIDTH, "height": HEIGHT}
    page = browser.new_page(viewport=viewport, reduced_motion="reduce")
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.goto(address)
    expect(page.locator(".card")).to_have_count(12)
    expect_drawn(page)
    return page


def expect_drawn(page: Page) -> None:
    """Wait until every card on the screen has its motion."""
    page.wait_for_function(f"{VIEW}.cards.every((card) => card.view.clip)")


def in_view(page: Page, expression: str):
    """A value from the results view's own objects."""
    return page.evaluate(f"{VIEW}.{expression}")


def search(page: Page, text: str) -> None:
    page.get_by_role("tab", name="Search").click()
    page.locator("#text textarea, #text input").fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(".results-view h2")).to_have_text(f"“{text}”")
    expect_drawn(page)


def pixels(place: Locator) -> bytes:
    return place.screenshot()


def test_a_sentence_finds_motions_that_move(page: Page):
    search(page, "a person waves with the left hand")
    scores = [float(text) for text in page.locator(".badge").all_inner_texts()]
    assert len(scores) == 12
    assert scores == sorted(scores, reverse=True)
    first = page.locator(".card").first
    expect(first.locator(".caption")).not_to_be_empty()
    expect(first.locator(".seconds")).to_have_text(re.compile(r"\d+\.\d s"))
    expect(page.locator(".facts")).to_contain_text("synthetic/")
    assert page.locator(".preview canvas").count() == 12
    assert page.locator(".view canvas").count() == 1


def test_every_card_and_the_viewer_move(page: Page):
    page.emulate_media(reduced_motion="no-preference")
    page.get_by_role("button", name="play", exact=True).click()
    frames = in_view(page, "surface.frames")
    times = in_view(page, "cards.map((card) => card.view.time)")
    assert len(times) == 12
    page.wait_for_function(f"{VIEW}.surface.frames > {frames + 3}")
    later = in_view(page, "cards.map((card) => card.view.time)")
    shown = in_view(
        page, "cards.map((card) => card.card.getBoundingClientRect().top < innerHeight)"
    )
    assert [a != b for a, b in zip(times, later, strict=True)] == shown
    page.emulate_media(reduced_motion="reduce")


def test_nothing_is_drawn_while_all_stands_still(page: Page):
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until the camera has come to rest
    frames, time = in_view(page, "surface.frames"), in_view(page, "cards[0].view.time")
    before = pixels(page.locator(".preview").first)
    assert in_view(page, "surface.frames") == frames
    page.locator(".card").first.hover()
    page.wait_for_function(f"{VIEW}.cards[0].view.time != {time}")
    page.mouse.move(0, 0)
    page.wait_for_function(f"!{VIEW}.cards[0].view.playing")
    assert pixels(page.locator(".preview").first) != before


def test_play_pause_scrub_and_step(page: Page):
    still = in_view(page, "large.time")
    page.wait_for_timeout(300)
    assert in_view(page, "large.time") == still
    slider = page.get_by_role("slider", name="time")
    middle = in_view(page, "large.clip.duration") / 2
    slider.fill(f"{middle:.3f}")
    assert in_view(page, "large.time") == pytest.approx(middle, abs=2e-3)
    page.locator(".viewer").focus()
    page.keyboard.press("ArrowRight")
    assert in_view(page, "large.time") == pytest.approx(middle + 1 / FPS, abs=2e-3)
    page.keyboard.press("Space")
    page.wait_for_function(f"{VIEW}.large.time > {middle + 2 / FPS}")
    page.get_by_label("speed").select_option("2")
    assert in_view(page, "large.speed") == 2
    page.get_by_label("speed").select_option("1")
    page.get_by_label("loop").uncheck()
    page.wait_for_function(f"!{VIEW}.large.playing")
    assert in_view(page, "large.time") == in_view(page, "large.clip.duration")
    page.get_by_role("button", name="play", exact=True).click()  # from the start again
    page.wait_for_function(f"{VIEW}.large.time < {VIEW}.large.clip.duration")
    page.get_by_label("loop").check()


def test_drag_orbits_and_wheel_zooms(page: Page):
    view = page.locator(".view")
    box = view.bounding_box()
    assert box is not None
    before = in_view(page, f"{SEEN_FROM}.toArray()")
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 350, box["y"] + 220, steps=4)
    page.mouse.up()
    # The camera glides on for a few frames.
    turned = f"Math.hypot(...{VIEW}.{SEEN_FROM}.toArray().map((v, i) => v - {before}[i]))"
    page.wait_for_function(f"{turned} > 0.5")
    after = in_view(page, f"{SEEN_FROM}.toArray()")
    assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before), rel=1e-3)
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"{VIEW}.{SEEN_FROM}.length() < {0.95 * np.linalg.norm(before)}")
    page.get_by_role("button", name="reset view").click()
    assert in_view(page, f"{SEEN_FROM}.length()") == pytest.approx(np.linalg.norm(before), rel=1e-2)


def test_the_limits_limit(page: Page):
    page.get_by_label("results").fill("5")
    page.get_by_label("minimum length (s)").fill("4")
    search(page, "someone walks in a circle")
    expect(page.locator(".card")).to_have_count(5)
    seconds = [float(text.split()[0]) for text in page.locator(".seconds").all_inner_texts()]
    assert min(seconds) >= 4
    page.get_by_label("minimum length (s)").fill("1000")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".results-view h2")).to_have_text("Nothing found")
    page.get_by_label("minimum length (s)").fill("0")
    page.get_by_label("results").fill("100")


def test_an_example_fills_the_box_and_searches(page: Page):
    example = page.locator("#examples button").nth(2)
    text = example.inner_text()
    example.click()
    expect(page.locator(".results-view h2")).to_have_text(f"“{text}”")


def test_more_like_this_leaves_the_motion_out(page: Page):
    search(page, "a person kicks")
    page.locator(".card").nth(1).click()
    key = page.locator(".card").nth(1).get_attribute("data-key")
    page.get_by_role("button", name="More like this").click()
    expect(page.locator(".results-view h2")).to_have_text(re.compile("^Like “"))
    keys = [card.get_attribute("data-key") for card in page.locator(".card").all()]
    assert len(keys) == 12
    assert key not in keys
    assert f"like=synthetic%2F{key}&library=synthetic" in page.url
    page.get_by_label("results").fill("3")  # a limit applies to what is shown
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(3)
    expect(page.locator(".results-view h2")).to_have_text(re.compile("^Like “"))
    page.get_by_label("results").fill("100")


def test_sentences_that_fit_a_motion_are_ranked(page: Page):
    page.locator(".words summary").click()
    expect(page.locator(".words li b")).to_have_count(8)
    scores = [float(text) for text in page.locator(".words b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    page.locator(".words summary").click()


def test_sentences_are_combined_with_weights(page: Page):
    page.get_by_role("tab", name="Combine").click()
    page.get_by_role("button", name="Search this combination").click()
    mix = "“a person walks” + 0.5 “angry” − 0.5 “turning around”"  # noqa: RUF001
    expect(page.locator(".results-view h2")).to_have_text(mix)
    expect_drawn(page)


def test_a_real_bvh_file_finds_motions_like_it(page: Page, takes: Path):
    page.get_by_role("tab", name="By example").click()
    page.locator("input[type=file]").first.set_input_files(takes / "07_12.bvh")
    expect(page.locator(".results-view h2")).to_have_text("Like “07_12.bvh”")
    expect(page.locator(".card").first.locator(".badge")).to_have_text("your file")
    expect(page.locator(".card")).to_have_count(12)
    expect_drawn(page)
    frames = len(read_motion(takes / "07_12.bvh").joints)
    assert in_view(page, "large.clip.frames") == frames - 1


def test_a_bad_file_is_explained_and_the_page_lives_on(page: Page, tmp_path: Path):
    bad = tmp_path / "broken.bvh"
    bad.write_text("HIERARCHY\nthis is no motion\n")
    page.get_by_role("tab", name="By example").click()
    page.get_by_label("Clear").or_(page.get_by_label("Remove")).first.click()
    page.locator("input[type=file]").first.set_input_files(bad)
    message = page.locator(".toast-body")
    expect(message).to_contain_text("broken.bvh: not a BVH file")
    page.get_by_test_id("toast-close").click()
    expect(message).to_have_count(0)
    search(page, "a person bows")


def test_a_moment_is_found_and_jumped_to(page: Page, small: Workspace, tmp_path: Path):
    files = sorted((small.folder / "datasets/motions/guoh3dfeats/synthetic").glob("*.npy"))
    long = tmp_path / "long.npy"
    np.save(long, np.concatenate([np.load(file) for file in files[:4]]))
    page.get_by_role("tab", name="Moments").click()
    page.locator("input[type=file]").last.set_input_files(long)
    page.get_by_label("Where does this happen?").fill("a person jumps")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.locator(".moment").first).to_be_visible()
    page.wait_for_function(f"{VIEW}.large.clip?.frames == {len(np.load(long))}")
    page.locator(".curve").click(position={"x": 100, "y": 20})
    width = page.locator(".curve").bounding_box()["width"]  # type: ignore[index]
    expected = 100 / width * in_view(page, "large.clip.duration")
    page.get_by_role("button", name="pause").click()
    assert in_view(page, "large.time") >= expected - 0.01


def test_a_folder_becomes_a_library_with_a_map(page: Page, takes: Path):
    page.get_by_role("tab", name="Library").click()
    page.get_by_label("Folder of motion files on this computer").fill(str(takes))
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".results-view h2")).to_have_text("studio")
    expect(page.locator(".card")).to_have_count(3)
    row = page.locator("#libraries tr", has_text="studio")
    expect(row.locator("td").nth(1)).to_have_text("3")
    expect(row.locator("td").nth(3)).to_have_text(str(takes))
    row.get_by_role("button", name="Remove studio").click()
    expect(row.get_by_role("button", name="Forget studio")).to_be_focused()  # it asks
    page.keyboard.press("Tab")
    expect(row.get_by_role("button", name="Remove studio")).to_be_visible()
    search(page, "a person walks")
    assert {card.get_attribute("data-key") for card in page.locator(".card").all()} == set(TAKES)
    page.get_by_role("combobox", name="library").click()
    page.get_by_role("option", name="synthetic").click()
    page.get_by_role("tab", name="Library").click()
    page.get_by_role("button", name="Show the map").click()
    canvas = page.locator(".map canvas")
    expect(canvas).to_be_visible()
    x, y = in_view(page, f"map.place({VIEW}.map.value.items[7])")
    canvas.hover(position={"x": x, "y": y})
    expect(page.locator(".tip")).to_be_visible()
    page.get_by_label("Folder of motion files on this computer").fill("")
    canvas.click(position={"x": x, "y": y})
    expect(page.locator(".viewer .title")).to_have_text(page.locator(".tip").inner_text())


def test_a_motion_is_downloaded(page: Page, tmp_path: Path):
    search(page, "a person claps")
    in_view(page, "trim.set(0.5, 1)")  # a GIF of all of it takes its time
    starts = {"bvh": b"HIERARCHY", "glb": b"glTF", "npy": b"\x93NUMPY", "gif": b"GIF89a"}
    for kind, start in starts.items():
        with page.expect_download() as waiting:
            page.locator(f"[data-format={kind}]").click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        assert path.read_bytes().startswith(start)
        assert path.suffix == f".{kind}"
    expect(page.locator(".unit-note")).to_have_text(re.compile("unit of this BVH is 1 cm, Y is up"))


def test_in_and_out_points_cut_what_is_exported(page: Page, tmp_path: Path):
    search(page, "a person walks")
    page.locator(".card").nth(2).click()
    page.get_by_role("button", name="pause").click()
    duration = in_view(page, "large.clip.duration")
    bar = page.locator(".trim").bounding_box()
    handle = page.get_by_role("slider", name="in point")
    box = handle.bounding_box()
    assert bar is not None
    assert box is not None
    page.mouse.move(box["x"] + 7, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(bar["x"] + bar["width"] / 2, box["y"] + 10, steps=5)
    page.mouse.up()
    assert in_view(page, "trim.in") == pytest.approx(duration / 2, abs=0.06)
    page.keyboard.press("ArrowRight")  # the handle has the focus
    start = in_view(page, "trim.in")
    page.get_by_role("slider", name="time").fill(f"{start + 0.5:.3f}")
    page.locator(".viewer").focus()
    page.keyboard.press("o")
    expect(page.locator(".trim-text output")).to_contain_text("0.50 s")
    with page.expect_download() as waiting:
        page.locator("[data-format=bvh]").click()
    first = in_view(page, f"trim.frame({VIEW}.trim.in)")
    key = page.locator(".card").nth(2).get_attribute("data-key")
    assert waiting.value.suggested_filename.startswith(f"{key}_{first}-")
    waiting.value.save_as(tmp_path / "part.bvh")
    assert len(read_bvh(tmp_path / "part.bvh").values) in (10, 11)
    page.keyboard.press("Space")
    trim = f"{VIEW}.trim"
    page.wait_for_function(f"{VIEW}.large.time <= {trim}.out && {VIEW}.large.time >= {trim}.in")
    page.get_by_role("button", name="whole motion").click()
    assert in_view(page, "trim.whole")


def test_a_part_is_typed_or_moved_and_finds_what_is_like_it(page: Page):
    search(page, "a person sneaks")
    duration = in_view(page, "large.clip.duration")
    trim = page.locator(".trim")
    bar, kept = trim.bounding_box(), page.locator(".kept")
    assert bar is not None
    trim.click(position={"x": bar["width"] / 2 - 20, "y": 9})  # the nearer handle comes
    start = in_view(page, "trim.in")
    assert start == pytest.approx(duration * (0.5 - 20 / bar["width"]), abs=0.06)
    page.get_by_label("last frame").fill(str(in_view(page, f"trim.frame({start})") + 20))
    page.keyboard.press("Enter")
    assert in_view(page, "trim.out") == pytest.approx(start + 20 / FPS)
    box = kept.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 9)
    page.mouse.down()  # what is between the handles is moved as a whole
    page.mouse.move(box["x"] + box["width"] / 2 - 60, box["y"] + 9, steps=3)
    page.mouse.up()
    moved = [in_view(page, "trim.in"), in_view(page, "trim.out")]
    assert moved[0] == pytest.approx(start - 60 / bar["width"] * duration, abs=0.1)
    assert moved[1] - moved[0] == pytest.approx(20 / FPS, abs=1 / FPS)
    page.get_by_role("button", name="More like this").click()
    seconds = ", {:.1f} to {:.1f} s".format(*moved)
    expect(page.locator(".results-view h2")).to_have_text(re.compile(f"^Like “.*”{seconds}$"))
    expect_drawn(page)


def test_selected_results_go_into_one_file(page: Page, tmp_path: Path):
    search(page, "a person waves")
    page.locator(".choose").nth(0).check()
    page.locator(".choose").nth(3).check()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export 2 selected").click()
    waiting.value.save_as(tmp_path / "motions.zip")
    with zipfile.ZipFile(tmp_path / "motions.zip") as archive:
        assert len(archive.namelist()) == 3
        assert "results.csv" in archive.namelist()
    page.get_by_label("all shown").check()
    expect(page.locator(".choose:not(:checked)")).to_have_count(0)
    page.get_by_label("all shown").uncheck()


def test_more_results_come_by_scrolling_and_can_be_narrowed_and_sorted(page: Page):
    search(page, "a person walks")
    page.locator(".found .end").scroll_into_view_if_needed()
    expect(page.locator(".card").nth(12)).to_be_attached()
    page.evaluate("scrollTo(0, 0)")
    page.get_by_label("sort").select_option("long")
    seconds = [float(text.split()[0]) for text in page.locator(".seconds").all_inner_texts()]
    assert seconds == sorted(seconds, reverse=True)
    key = page.locator(".card").nth(5).get_attribute("data-key") or ""
    page.get_by_label("show only what contains").fill(key)
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_label("show only what contains").fill("qwertz")
    expect(page.locator(".found")).to_have_text(re.compile("^none of these .*“qwertz”"))
    page.get_by_label("show only what contains").fill("")


def test_keys_go_from_the_sentence_through_the_results(page: Page):
    search(page, "a person stretches")
    page.keyboard.press("Escape")  # out of the sentence
    shown = in_view(page, "item.key")
    page.keyboard.press("j")
    page.wait_for_function(f"{VIEW}.item.key != '{shown}'")
    page.keyboard.press("x")
    expect(page.locator(".choose").nth(1)).to_be_checked()
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.wait_for_function(f"{VIEW}.item.key == '{shown}'")
    page.keyboard.press("/")
    expect(page.locator("#text input")).to_be_focused()


def test_the_address_holds_the_search(page: Page, address: str):
    search(page, "a person jumps")
    assert page.url.endswith("?q=a+person+jumps&library=synthetic")
    assert page.title() == "“a person jumps” · Motion search"
    search(page, "a person bows")
    page.go_back()
    expect(page.locator(".results-view h2")).to_have_text("“a person jumps”")
    expect(page.locator("#text textarea, #text input")).to_have_value("a person jumps")


def test_what_cannot_be_searched_is_said_on_the_page(page: Page):
    search(page, "a person kneels")
    alert = page.locator(".alert p")
    page.locator("#text textarea, #text input").fill("")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(alert).to_contain_text("say what to look for")
    page.get_by_label("results").fill("500")
    page.locator("#text textarea, #text input").fill("a person kneels")
    page.keyboard.press("Enter")
    expect(alert).to_contain_text("results: expected a number from 1 to 100")
    page.get_by_label("results").fill("100")
    page.locator("#text textarea, #text input").fill('"<b>walk</b>" and "x"')
    page.keyboard.press("Enter")
    expect(alert).to_contain_text('"<b>walk</b>"')
    assert page.locator(".alert b").count() == 0
    page.get_by_role("tab", name="Combine").click()
    page.get_by_label("Sentence 1").fill("")
    page.get_by_label("Sentence 2").fill("")
    page.get_by_role("button", name="Search this combination").click()
    expect(alert).to_contain_text("at least one sentence")
    page.get_by_label("close the message").click()
    expect(alert).to_have_count(0)
    expect(page.locator(".results-view h2")).to_have_text("“a person kneels”")


def test_dark_mode_has_its_own_colors(page: Page):
    def brightness() -> list[int]:
        colors = page.evaluate(
            "[getComputedStyle(document.querySelector('.results-view')).color,"
            " getComputedStyle(document.querySelector('.viewer')).backgroundColor]"
        )
        return [sum(map(int, re.findall(r"\d+", color)[:3])) for color in colors]

    ink, ground = brightness()
    assert ink < 150
    assert ground > 600
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.body.classList.contains('dark')")
    ink, ground = brightness()
    assert ink > 600
    assert ground < 150
    page.emulate_media(color_scheme="light")
    page.wait_for_function("!document.body.classList.contains('dark')")


AXE = Path(sys.prefix) / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(
    not AXE.is_file(), reason="no axe: run `npm install --prefix .venv axe-core@4.14.1`"
)
@pytest.mark.parametrize(("scheme", "width"), [("light", PHONE), ("dark", WIDTH)])
def test_axe_finds_nothing_that_keeps_people_out(page: Page, scheme: Scheme, width: int):
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.body.classList.contains('dark') == {scheme == 'dark':d}")
    page.evaluate(f"{AXE.read_text()};0")
    problems = "violations.map(({ id, nodes }) => [id, nodes[0].html])"
    found = {}
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        found[tab] = page.evaluate(f"axe.run().then(({{ violations }}) => {problems})")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    assert found == {tab: [] for tab in TABS}


def test_a_star_and_tags_stay_and_narrow_a_search(page: Page):
    search(page, "a person walks")
    page.get_by_label("favorite", exact=True).click()
    page.locator(".tagging input").fill("idle, Boss  fight")
    page.get_by_role("button", name="Keep").click()
    first = page.locator(".card").first
    expect(first.locator(".tags")).to_have_text("boss fight · ★ · idle")
    key = first.get_attribute("data-key")
    page.get_by_label("tag", exact=True).fill("boss fight")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    assert page.locator(".card").get_attribute("data-key") == key
    page.get_by_label("tag", exact=True).fill("")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(12)
    page.locator(".tagging input").fill("")
    page.get_by_role("button", name="Keep").click()
    page.get_by_label("favorite", exact=True).click()
    expect(first.locator(".tags")).to_be_empty()


def test_two_motions_are_compared_and_bones_named(page: Page):
    search(page, "a person kicks")
    page.get_by_label("compare with this motion").select_option("beside")
    page.locator(".card").nth(1).click()
    page.wait_for_function(f"{VIEW}.large.other?.group.position.x > 1")
    page.get_by_label("compare with this motion").select_option("over")
    page.wait_for_function(f"Math.abs({VIEW}.large.other.group.position.x) < 0.5")
    page.get_by_label("compare with this motion").select_option("")
    page.wait_for_function(f"{VIEW}.large.other === null")
    in_view(page, "play(false)")
    x, y = page.evaluate(
        f"(() => {{ const view = {VIEW}.large, box = view.element.getBoundingClientRect();"
        " const place = view.middle.clone().fromArray(view.clip.at(view.time), 3 * 20);"
        " const at = place.project(view.camera);"
        " return [box.x + (at.x + 1) * box.width / 2, box.y + (1 - at.y) * box.height / 2]; })()"
    )
    page.mouse.move(x, y)
    expect(page.locator(".bone")).to_have_text("left wrist")
    page.mouse.move(2, 2)


def test_sentences_are_offered_again(page: Page):
    search(page, "a person limps")
    offered = "[...document.querySelector('#text input').list.options].map(({ value }) => value)"
    assert page.evaluate(offered)[0] == "a person limps"


def test_a_phone_shows_everything_without_sideways_scrolling(page: Page):
    page.set_viewport_size({"width": PHONE, "height": HEIGHT})
    search(page, "a person dances")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE
    expect(page.get_by_role("tab")).to_have_text(TABS)  # none in a menu behind three dots
    page.locator(".card").nth(3).click()
    expect(page.locator(".viewer")).to_be_in_viewport()
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def test_twenty_people_search_at_once(address: str):
    client = Client(address, verbose=False)

    def find(number: int) -> dict:
        text = f"a person turns around {number} times"
        return client.predict(text, "synthetic", "everything", 3, 0, api_name="/search")

    with ThreadPoolExecutor(20) as pool:
        values = list(pool.map(find, range(20)))
    assert [len(value["items"]) for value in values] == [3] * 20
    assert values[7]["heading"] == "“a person turns around 7 times”"


def test_programs_reach_every_action(address: str, takes: Path):
    client = Client(address, verbose=False)
    limits = ("synthetic", "test", 2, 0)
    found = client.predict("a person waves", *limits, api_name="/search")
    motion = found["items"][0]["id"]
    like = client.predict(motion, api_name="/more_like_this")
    assert motion not in [item["id"] for item in like["items"]]
    by_file = client.predict(handle_file(takes / "09_12.bvh"), *limits, api_name="/search_by_file")
    assert len(by_file["items"]) == 3
    assert len(client.predict(motion, 4, api_name="/sentences")) == 4
    features = np.load(client.predict(motion, "npy", api_name="/download"))
    bvh = read_motion(client.predict(motion, "bvh", api_name="/download")).joints
    np.testing.assert_allclose(bvh, features_to_joints(features), atol=1e-3)


def test_the_browser_asked_this_computer_alone(page: Page, asked: list[str], address: str):
    assert asked
    local = (address, "data:", "blob:")
    assert [url for url in asked if not url.startswith(local)] == []

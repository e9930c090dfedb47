"""Makes the pictures of the documentation from the page itself: `python docs/demo/pictures.py`.

The page is opened with the default model, in the Chromium that is installed. Nothing is made where
the first motion found is not what the sentence says, left and right included.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run"]
VIEW = "document.querySelector('.results-view').parentElement.resultsView"
LIVELY = 0.45  # part of a motion: at their start people stand
WAIT = 300_000  # milliseconds
# Sentences, and what a caption of the first motion has to say and must not.
KICK = ("a person kicks with the left leg", r"kick.*\bleft\b", r"\bright\b")
WAVE = ("someone waves with the right hand", r"wav.*\bright\b", r"\bleft\b")
CIRCLE = ("a person walks in a circle to the left", r"walk.*circle.*\bleft\b", r"\bright\b")
SENTENCES = (KICK, WAVE, CIRCLE)
FRAMES_A_SECOND = 8
GIF_WIDTH, COLORS = 900, 96


@contextmanager
def served() -> Iterator[str]:
    """The address of the page."""
    command = [sys.executable, "app.py", "port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = next((line for line in server.stdout if "is open at" in line), "")
        found = re.search(r"http://\S+", line)
        if found is None:
            sys.exit(f"{' '.join(command)} did not start")
        try:
            yield found[0]
        finally:
            server.terminate()


def search(page: Page, text: str, says: str, never: str) -> None:
    """Search, and end where the first motion found is another."""
    page.locator("#text input").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "text => document.querySelector('.results-head h2').textContent.includes(text)", arg=text
    )
    ready(page)
    captions = " / ".join(page.evaluate(f"{VIEW}.cards[0].item.captions"))
    if not is_right(captions, says, never):
        sys.exit(f"{text!r} found {captions!r} first: no picture is made")
    print(f"{text!r}: {captions}")


def is_right(captions: str, says: str, never: str) -> bool:
    """Whether the captions of a motion say what they have to, and not what they must not."""
    return bool(re.search(says, captions)) and not re.search(never, captions)


def ready(page: Page) -> None:
    """Wait until every motion is there, and show each in the midst of it."""
    page.wait_for_function(f"{VIEW}.cards.every((card) => card.view.clip) && {VIEW}.large.clip")
    pose(page, LIVELY)


def pose(page: Page, part: float) -> None:
    """Show all motions at a part of their length."""
    page.evaluate(
        f"part => {{ for (const {{ view }} of {VIEW}.cards) view.time = part * view.clip.duration;"
        f" {VIEW}.play(false); {VIEW}.seek(part * {VIEW}.large.clip.duration); }}",
        part,
    )
    page.evaluate("() => new Promise((done) => setTimeout(done, 300))")


def still(page: Page, name: str) -> None:
    """A picture of the window from its top."""
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(4, 4)
    page.wait_for_timeout(600)
    page.screenshot(path=FOLDER / f"{name}.png")


def film(page: Page) -> None:
    """Ten seconds: a sentence is typed, motions are found and play, a part is cut out."""
    frames: list[Image.Image] = []

    def shoot(times: int = 1) -> None:
        shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
        height = round(shot.height * GIF_WIDTH / shot.width)
        frames.extend([shot.resize((GIF_WIDTH, height), Image.Resampling.LANCZOS)] * times)

    text, says, never = WAVE
    page.locator("#text input").fill("")
    pose(page, LIVELY)
    for end in range(0, len(text) + 1, 3):
        page.locator("#text input").fill(text[:end])
        shoot()
    search(page, text, says, never)
    page.evaluate("scrollTo(0, 0)")
    for step in range(32):
        pose(page, 0.1 + 0.75 * step / 31)
        shoot()
    for step in range(8):  # the in point, then the out point
        page.evaluate(f"part => {VIEW}.trim.set(part * {VIEW}.large.clip.duration, 1e9)", step / 28)
        shoot()
    for step in range(8):
        now = [0.25, 1 - step / 28]
        page.evaluate(
            f"([a, b]) => {{ const whole = {VIEW}.large.clip.duration;"
            f" {VIEW}.trim.set(a * whole, b * whole); {VIEW}.seek(b * whole); }}",
            now,
        )
        page.wait_for_timeout(200)
        shoot()
    page.locator("[data-format=bvh]").hover()
    shoot(2 * FRAMES_A_SECOND)
    palette = frames[len(frames) // 2].quantize(COLORS, dither=Image.Dither.NONE)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    flat[0].save(
        FOLDER / "page.gif", save_all=True, append_images=flat[1:], loop=0, optimize=True,
        duration=1000 // FRAMES_A_SECOND,
    )  # fmt: skip
    size = (FOLDER / "page.gif").stat().st_size / 1e6
    print(f"page.gif: {len(frames) / FRAMES_A_SECOND:.1f} s, {size:.1f} MB")


def main() -> None:
    """Make all pictures."""
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(
            viewport={"width": 1440, "height": 900}, reduced_motion="reduce", device_scale_factor=1
        )
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.wait_for_selector(".card")
        search(page, *KICK)
        still(page, "search")
        film(page)
        search(page, *CIRCLE)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.body.classList.contains('dark')")
        ready(page)
        still(page, "dark")
        page.emulate_media(color_scheme="light")
        page.get_by_role("tab", name="Library").click()
        page.get_by_role("button", name="Show the map").click()
        page.wait_for_selector(".map canvas")
        page.wait_for_function(f"{VIEW}.large.clip")
        page.evaluate(f"{VIEW}.seek({LIVELY} * {VIEW}.large.clip.duration)")
        still(page, "map")
        browser.close()


if __name__ == "__main__":
    main()

"""Speed of the page: `python benchmarks/demo.py RUN_DIR` for a run on the embedded data.

Makes a data set of 23,000 keys over the motions that there are, with the gallery that its first
start would leave, and prints how long `python app.py` takes on it until Chromium shows the first
motions, how many frames a second eight skeletons and the large viewer get with software rendering,
what a text query takes, and whether 20 people can search at once.

`python benchmarks/demo.py RUN_DIR --folder FOLDER` imports a folder of motion files on the page
instead, as people do, and prints what passes until its motions are shown, until its moments are
encoded, what sentences take meanwhile and afterwards, and how scrolling to 100 results goes.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from gradio_client import Client
from playwright.sync_api import Page, sync_playwright

import tmr
from tmr.motion.read import READERS
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library

MOTIONS = 23_000
QUERIES = 100
PEOPLE = 20
SOME = 20  # sentences on an imported folder
FEW = 12  # files that the page opens on, before it imports all
SECONDS = 10
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run"]
ASK = """(words) => new Promise((found) => {
    const heading = document.querySelector('.results-head h2');
    const field = document.querySelector('#text textarea, #text input');
    const start = performance.now();
    const observer = new MutationObserver(() => {
        if (!heading.textContent.includes(words)) return;
        observer.disconnect();
        queueMicrotask(() => found(performance.now() - start));
    });
    observer.observe(heading, {childList: true, characterData: true, subtree: true});
    field.dispatchEvent(new KeyboardEvent('keypress', {key: 'Enter', bubbles: true}));
})"""
PROGRESS = "(document.querySelector('.progress-level-inner')?.textContent ?? '').trim()"
WORKING = "document.querySelector('.working').textContent"
# Scrolls down as a wheel does, until the last result is there; the longest time between two frames.
SCROLL = """() => new Promise((done) => {
    let [last, longest, still] = [performance.now(), 0, 0];
    const step = (now) => {
        longest = Math.max(longest, now - last);
        last = now;
        const before = scrollY;
        scrollBy(0, 60);
        still = scrollY === before ? still + 1 : 0;
        if (still > 30) done(longest);
        else requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""
VIEW = "document.querySelector('.results-view').parentElement.resultsView"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed of the page.")
    parser.add_argument("run_dir", type=Path, help="run folder trained on the embedded data")
    parser.add_argument("--motions", type=int, default=MOTIONS, help="size of the gallery")
    parser.add_argument("--folder", type=Path, help="import this one instead")
    given = parser.parse_args()
    if given.folder is not None:
        import_on_the_page(given.run_dir, given.folder)
        return
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        annotations, run = Path(scratch, "large"), Path(scratch, "run")
        shutil.copytree(given.run_dir, run, ignore=shutil.ignore_patterns("logs"))
        repeat(Path("datasets/annotations/synthetic"), annotations, given.motions)
        encode(run, annotations)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        start = time.perf_counter()
        data = ["data=synthetic", "data.name=large", f"data.annotations={annotations}"]
        with served(run, *data) as address:
            page.goto(address)
            page.wait_for_selector(".card")
            show(f"start to first motions, {given.motions:,} in the gallery", time_since(start))
            show(f"{SECONDS} s of eight skeletons and the viewer", frames(page))
            show(f"sentence on the page, median of {QUERIES}", asked_on(page, QUERIES))
            page.close()
            queries(address)
        browser.close()


def repeat(source: Path, target: Path, count: int) -> None:
    """A data set of ``count`` keys, all in one split, over the motions of another."""
    entries = json.loads((source / "annotations.json").read_bytes()).values()
    repeated = {f"{number:06}": entry for number, entry in enumerate(islice(cycle(entries), count))}
    (target / "splits").mkdir(parents=True)
    (target / "splits" / "test.txt").write_text("\n".join(repeated))
    (target / "annotations.json").write_text(json.dumps(repeated))


def encode(run: Path, annotations: Path) -> None:
    """The library of the repeated motions."""
    model = tmr.load(run)
    large = dataclasses.replace(data_of(model.config), name="large", annotations=str(annotations))
    _ = open_library(model.run, model.ckpt, model, large).captions


@contextmanager
def served(run: Path, *options: str) -> Iterator[str]:
    """The address of the page while it is served."""
    command = [sys.executable, "app.py", f"run_dir={run}", *options, "port=0", "device=cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"is open at (\S+)", "".join(until_open(server.stdout)))
        if found is None:
            sys.exit(f"{' '.join(command)} did not start")
        yield found[1]
        server.terminate()


def until_open(lines: Iterator[str]) -> Iterator[str]:
    """Lines of the server up to the one with its address."""
    for line in lines:
        yield line
        if "is open at" in line:
            return


def queries(address: str) -> None:
    """Time a text query, one at a time and by many people at once.

    For each call the client loads the certificates of all authorities twice, to an address without
    encryption too, unless it is told not to.
    """

    def find(number: int) -> float:
        start = time.perf_counter()
        text = f"a person walks {number} steps"
        client.predict(text, "large", "everything", 12, 0, api_name="/search")
        return time.perf_counter() - start

    for certificates in (True, False):
        client = Client(address, verbose=False, ssl_verify=certificates)
        find(0)
        times = [find(number) for number in range(QUERIES)]
        how = "" if certificates else ", no certificates"
        show(f"text query, median of {QUERIES}{how}", f"{1000 * statistics.median(times):.0f} ms")
    start = time.perf_counter()
    with ThreadPoolExecutor(PEOPLE) as people:
        list(people.map(find, range(PEOPLE)))
    show(f"{PEOPLE} people at once, all answered", time_since(start))


def frames(page: Page) -> str:
    """Frames a second while eight cards play beside the viewer."""
    page.get_by_label("results").fill("8")
    page.locator("#text textarea, #text input").fill("a person walks")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.card').length == 8")
    page.wait_for_timeout(2000)
    count = f"[{VIEW}.surface.frames, Math.min(...{VIEW}.cards.map((card) => card.view.frames))]"
    before = page.evaluate(count)
    start = time.perf_counter()
    page.wait_for_timeout(1000 * SECONDS)
    seconds = time.perf_counter() - start
    rates = [(now - then) / seconds for now, then in zip(page.evaluate(count), before, strict=True)]
    return f"{rates[0]:.1f} frames a second, of each skeleton {rates[1]:.1f}"


def asked_on(page: Page, queries: int, results: int = 12) -> str:
    """What passes from the Enter key to the cards of the answer, seen by the page itself."""
    page.get_by_label("results").fill(f"{results}")
    field = page.locator("#text textarea, #text input")
    times = []
    for number in range(queries + 1):
        field.fill(f"a person walks {number} steps")
        times.append(page.evaluate(ASK, f"{number} steps"))
        page.wait_for_timeout(200)  # as people do; the page takes no second one before it is done
    return f"{statistics.median(times[1:]):.0f} ms, at most {max(times[1:]):.0f} ms"


def import_on_the_page(run_dir: Path, folder: Path) -> None:
    """Print the table of a folder's import. The page opens on a few of its files."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READERS)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        run, few = Path(scratch, "run"), Path(scratch, "few")
        shutil.copytree(run_dir, run, ignore=shutil.ignore_patterns("logs", "libraries"))
        few.mkdir()
        for file in files[:FEW]:
            shutil.copy(file, few)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(3_600_000)
        with served(run, f"library={few}") as address:
            page.goto(address)
            page.wait_for_selector(".card")
            import_folder(page, folder, len(files))
        browser.close()


def import_folder(page: Page, folder: Path, files: int) -> None:
    """Import a folder, search meanwhile and afterwards, and scroll."""
    show("load of the machine at the start", f"{os.getloadavg()[0]:.1f}")
    page.get_by_role("tab", name="Library").click()
    page.get_by_label("Folder of motion files on this computer").fill(str(folder))
    start = time.perf_counter()
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_function(f"{PROGRESS}.includes('files')")
    show("import until progress is shown", time_since(start))
    told = {page.evaluate(PROGRESS)}
    while page.locator(".results-head h2").inner_text() != folder.name:
        told.add(page.evaluate(PROGRESS))
        page.wait_for_timeout(200)
    page.wait_for_selector(".card")
    show(f"import of {files:,} files until the first motions", time_since(start))
    show("different words of progress", f"{len(told):,}")
    page.get_by_role("tab", name="Search").click()
    show(f"sentence, 100 results, windows being encoded, of {SOME}", asked_on(page, SOME, 100))
    page.wait_for_function(f"{WORKING} === ''", polling=1000)
    show("windows of all takes encoded after", time_since(start))
    show(f"sentence, 100 results with moments, of {SOME}", asked_on(page, SOME, 100))
    start = time.perf_counter()
    longest = page.evaluate(SCROLL)
    cards = page.locator(".card").count()
    show(f"scrolling to {cards} results", f"{time_since(start)}, longest frame {longest:.0f} ms")
    show("load of the machine at the end", f"{os.getloadavg()[0]:.1f}")


def time_since(start: float) -> str:
    """Seconds since ``start``, for people."""
    return f"{time.perf_counter() - start:.1f} s"


def show(what: str, figure: str) -> None:
    """Print one row."""
    print(f"{what:55}  {figure}", flush=True)


if __name__ == "__main__":
    main()

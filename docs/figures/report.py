"""Take the pictures of docs/report.md: five questions, answered by two pages.

Train first, as the page says, then run `python docs/figures/report.py RUNS`, where RUNS holds the folders
qmix, vdn, mappo and hyper_mappo. It needs Playwright, and Chromium where `--chromium` says.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import covey

PICTURES = Path(__file__).parents[1] / "pictures"


def picture(page: Any, name: str, top: str, bottom: str) -> None:
    """Keep the part of a page from the first to the second of two elements."""
    box = page.evaluate(
        """([top, bottom]) => {
          const edge = (selector) => document.querySelector(selector).getBoundingClientRect();
          const width = document.documentElement.clientWidth;
          return [edge(top).top + scrollY, edge(bottom).bottom + scrollY, width];
        }""",
        [top, bottom],
    )
    clip = {"x": 0, "y": box[0] - 12, "width": box[2], "height": box[1] - box[0] + 24}
    page.screenshot(path=PICTURES / f"report-{name}.png", clip=clip, full_page=True)


def take_pictures(browser: Any, several: Path, one: Path) -> None:
    """Answer the questions that `several` runs and `one` run of hyper_mappo answer."""
    view = {"width": 1000, "height": 900}
    page = browser.new_context(viewport=view, color_scheme="light").new_page()
    page.goto(several.resolve().as_uri())
    page.locator(".plot canvas").first.wait_for()
    picture(page, "better", "#verdict", "#verdict table")
    page.locator("#verdict summary").first.click()
    picture(page, "chance", "#verdict details", "#verdict details")
    picture(page, "stalled", "#curves", ".key")
    picture(page, "again", "#cost", "#cost")
    page.goto(one.resolve().as_uri())
    page.locator("#theatre").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    page.wait_for_timeout(400)
    picture(page, "attention", "#replay", "#replay")


def main() -> None:
    from playwright.sync_api import sync_playwright  # pyright: ignore[reportMissingImports]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        several = Path(folder) / "several.html"
        one = Path(folder) / "one.html"
        covey.report([chosen.runs / name for name in ("qmix", "vdn", "mappo")], out=several, replay=False)
        covey.report([chosen.runs / "hyper_mappo"], out=one)
        browser = started.chromium.launch(executable_path=chosen.chromium, args=["--no-sandbox"])
        take_pictures(browser, several, one)
        browser.close()


if __name__ == "__main__":
    main()

"""How soon a page shows something: the first contentful paint of the fifteen main pages, in Chromium on this machine.

Each page is opened ``--rounds`` times in a window of its own, which has nothing of the shop yet (a first visit), and
once more in the same window (a further one). Prints the medians in milliseconds since the page was asked for. Ends with
1 when a page is not what was asked for; how long it takes is a figure, and no fault.
"""

import argparse
import json
import shutil
import statistics
import sys
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from tests.support.scene import MAIN_PAGES, MainPage, Scene, scene

_PAINT = """new Promise((told) => new PerformanceObserver((list) => {
  const [first] = list.getEntriesByName("first-contentful-paint"); if (first) told(first.startTime);
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        sys.exit("there is no chromium on this machine (bin/setup --dev installs it as root)")
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with scene(browser) as furnished:
            pages = {what.name: medians(furnished, what, options.rounds, wrong) for what in MAIN_PAGES}
        browser.close()
    if wrong:
        print(f"{len(wrong)} wrong pages, the first: {wrong[0]}")
    middle = {
        visit: round(statistics.median(page[visit] for page in pages.values()), 1) for visit in ("first", "again")
    }
    slowest = max(page["first"] for page in pages.values())
    print(json.dumps({"bench": "paint", "rounds": options.rounds, "median_ms": middle, "slowest_first_ms": slowest,
                      "wrong": len(wrong), "pages": pages}))  # fmt: skip
    sys.exit(1 if wrong else 0)


def medians(furnished: Scene, what: MainPage, rounds: int, wrong: list[str]) -> dict[str, float]:
    """Milliseconds to the first paint of a first visit and of a further one."""
    taken: dict[str, list[float]] = {"first": [], "again": []}
    for _ in range(rounds):
        with furnished.window(what.who, still=False) as page:
            for visit, times in taken.items():
                times.append(_paint_ms(page, furnished.address(what), f"{what.name}, {visit}", wrong))
    middle = {visit: round(statistics.median(times), 1) for visit, times in taken.items()}
    print(f"{what.name:16} " + "  ".join(f"{visit} {ms:7.1f}" for visit, ms in middle.items()), flush=True)
    return middle


def _paint_ms(page: Page, address: str, visit: str, wrong: list[str]) -> float:
    answer = page.goto(address)
    if answer is None or answer.status != 200 or urlsplit(page.url).path != urlsplit(address).path:
        wrong.append(f"{visit}: {answer and answer.status} at {page.url}")
    return float(page.evaluate(_PAINT))


if __name__ == "__main__":
    main()

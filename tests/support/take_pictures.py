"""``bin/pictures`` takes the pictures of the main pages anew; only what looks otherwise is written."""

import shutil
import sys

from playwright.sync_api import sync_playwright

from tests.support import pictures
from tests.support.scene import scene


def main() -> None:
    program = shutil.which("chromium")
    if program is None:
        sys.exit("there is no chromium on this machine (bin/setup --dev installs it as root)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with scene(browser) as furnished:
            pictures.keep_all(furnished)
        browser.close()


if __name__ == "__main__":
    main()

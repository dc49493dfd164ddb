"""``bin/pictures`` takes the pictures of the main pages anew, ``bin/pictures docs`` those of the documentation.

Only what looks otherwise is written.
"""

import shutil
import sys

from playwright.sync_api import sync_playwright

from tests.support import docs_pictures, pictures
from tests.support.scene import scene


def main(words: list[str]) -> None:
    program = shutil.which("chromium")
    if words not in ([], ["docs"]):
        sys.exit("usage: bin/pictures [docs]")
    if program is None:
        sys.exit("there is no chromium on this machine (bin/setup --dev installs it as root)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with scene(browser) as furnished:
            if words:
                docs_pictures.keep_all(furnished, browser)
            else:
                pictures.keep_all(furnished)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])

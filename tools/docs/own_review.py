"""Reviews this project's own plan against the emulated AWS, and writes it into docs/ as text and as pictures.

    make plan-docs

The stacks are those of source.yaml, planned as a first deployment with the mirrored provider
(emulator/provider_downgrade.py says what that one leaves out).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from emulator.aws import EmulatedAws
from emulator.deployment import Deployment
from tests.support.browser import find_chromium, open_browser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GATES = "no-destroy,no-public,no-plaintext-secret"
_WIDTH = 1120
_HEIGHT = 1250


def main() -> int:
    """Write docs/plan-review.example.txt and, where a browser is installed, the pictures."""
    with tempfile.TemporaryDirectory(prefix="own-review-") as folder, EmulatedAws.start() as aws:
        here = Path(folder)
        environment = Deployment(here / "deployment", aws, ROOT / "source.yaml").environment()
        environment["PYTHONPATH"] = str(ROOT)
        command = [
            sys.executable,
            "-m",
            "stacks",
            "plan",
            "--app",
            f"{sys.executable} -m emulator.app",
            "--gate",
            GATES,
        ]
        made = {"text": DOCS / "plan-review.example.txt", "html": here / "review.html"}
        for style, target in made.items():
            done = subprocess.run(
                [*command, "--format", style, "--output", str(target)], cwd=here, env=environment, check=False
            )
            if done.returncode:
                return done.returncode
        if find_chromium() is None:
            print("no headless browser: the picture stays as it is", file=sys.stderr)
            return 0
        picture(made["html"], DOCS / "plan-review.png")
    return 0


def picture(page: Path, target: Path) -> None:
    """The top of the page as a PNG, and its drawing of the resources as another one."""
    with open_browser() as browser:
        opened = browser.page()
        opened.view(_WIDTH, _HEIGHT)
        opened.open(page)
        target.write_bytes(opened.screenshot())
        # The drawing of the resources once more by itself.
        place = opened.evaluate(
            "(b => ({x: b.x, y: b.y + scrollY, width: b.width, height: b.height, scale: 1}))"
            "(document.querySelector('#picture .card').getBoundingClientRect())"
        )
        target.with_name("plan-review-picture.png").write_bytes(opened.screenshot(clip=place))


if __name__ == "__main__":
    sys.exit(main())

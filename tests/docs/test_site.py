"""The docs site: built without a warning, complete, searchable, nothing loaded from elsewhere."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wait_until
from tests.support.browser import open_browser
from tools.docs.site.__main__ import BUILD, GENERATOR, outside_requests
from tools.docs.site.stage import BrokenLinkError, converted, stage

ROOT = Path(__file__).resolve().parents[2]
needs_generator = pytest.mark.skipif(
    not GENERATOR.exists(), reason="MkDocs is not installed; run: python tools/setup/bootstrap.py --only docs"
)


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, built as `make docs` does."""
    built = subprocess.run(
        [sys.executable, "-m", "tools.docs.site"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return ROOT / BUILD / "site"


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served, on this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@needs_generator
def test_every_document_is_a_page_that_loads_nothing_from_elsewhere(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"]
    assert [each for each in documents if not (site / each).with_suffix(".html").exists()] == []
    assert outside_requests(site) == []  # make docs looks, too


@needs_generator
def test_a_reader_without_internet_finds_a_page_by_searching(address: str) -> None:
    with open_browser() as browser:
        page = browser.page()
        page.view(1300, 900)
        page.call("Page.navigate", url=f"{address}/index.html")
        browser.wait_for("Page.loadEventFired", page.session)
        page.evaluate(
            "(() => { document.querySelector('#__search').checked = true;"
            "const box = document.querySelector('[data-md-component=search-query]');"
            "box.focus(); box.value = 'dead letters'; box.dispatchEvent(new Event('keyup')); })()"
        )
        found = "[...document.querySelectorAll('.md-search-result__link')].map(link => link.href).join(' ')"
        links = wait_until(lambda: page.evaluate(found), what="search results")
        assert "runbook.html" in links
        assert page.problems == []
        assert [url for url in page.requests if not url.startswith((address, "data:", "blob:"))] == []


def test_pictures_that_would_be_loaded_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://example.com/a"><a href="https://example.com">x</a>'
        '<img src="https://example.com/x.png"><script src="//example.com/x.js"></script><img src="x.png">'
    )
    assert outside_requests(tmp_path) == ["a.html: https://example.com/x.png", "a.html: //example.com/x.js"]


@pytest.mark.parametrize(
    ("written", "staged"),
    [
        ("Three things:\n- a\n- b\n", "Three things:\n\n- a\n- b\n"),
        ("- a\n  - b\n    more of b\n  - c\n", "- a\n    - b\n        more of b\n    - c\n"),
        ("1. a\n   more\n\n   ```\n   x\n     y\n   ```\n", "1. a\n    more\n\n    ```\n    x\n      y\n    ```\n"),
        ("text\n| a |\n|---|\n| b |\n", "text\n\n| a |\n|---|\n| b |\n"),
        ("text\n```\n- x\ntext\n- y\n```\n", "text\n\n```\n- x\ntext\n- y\n```\n"),
        ("1. a\n\n   more\n2. b\n3. c\n", "1. a\n\n    more\n\n2. b\n3. c\n"),
        ("- a\n\n  ```\n  x\n  ```\n- b\n", "- a\n\n    ```\n    x\n    ```\n\n- b\n"),
        ("- a\nlazy\n\nafter\n", "- a\n    lazy\n\nafter\n"),
    ],
)
def test_githubs_markdown_becomes_the_generators(written: str, staged: str) -> None:
    assert converted(ROOT, written, "docs/state.md") == staged


def test_links_lead_to_the_places_that_files_have_on_the_site() -> None:
    text = "[a](docs/state.md#sqlite) [b](source.yaml) [c](docs/README.md) [d](#here) [e](https://example.com)"
    expected = "[a](state.md#sqlite) [b](files/source.yaml.md) [c](guides.md) [d](#here) [e](https://example.com)"
    assert converted(ROOT, text, "README.md") == expected
    assert converted(ROOT, "[a](../../README.md) `[b](../x)`", "docs/adr/0001.md") == "[a](../index.md) `[b](../x)`"


def test_a_link_to_nothing_is_told_with_its_document(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("see [b](../b.py)\n")
    with pytest.raises(BrokenLinkError, match=r"^docs/a\.md: the link \.\./b\.py leads to no file of this checkout$"):
        stage(tmp_path, tmp_path / "out")


def test_a_linked_file_is_a_page_that_shows_it(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("[the example](../example.py)\n")
    (tmp_path / "example.py").write_text('"""```"""\nprint(1)\n')
    stage(tmp_path, tmp_path / "out")
    assert (tmp_path / "out/files/example.py.md").read_text() == (
        '# example.py\n\n```python\n"""```"""\nprint(1)\n```\n'
    )
    assert (tmp_path / "out/a.md").read_text() == "[the example](files/example.py.md)\n"


def test_every_picture_is_shown_by_a_document_and_every_screenshot_named_by_the_tool_that_takes_it() -> None:
    tools = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").rglob("*.py"))
    shown = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    pictures = [path for path in (ROOT / "docs").rglob("*") if path.suffix in {".png", ".svg", ".jpg", ".gif"}]
    assert pictures
    assert [path.name for path in pictures if path.suffix != ".svg" and path.name not in tools] == []
    assert [path.name for path in pictures if path.name not in shown] == []

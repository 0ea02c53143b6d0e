"""The demo as anybody starts it, and a real browser beside it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from api.pages import FOLDERS
from storage.interface import Records
from storage.records_sql import SqlRecords
from tests.servers import program, stop

ROOT = Path(__file__).parents[2]
SPEED = 240
START_S = 60.0
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
LOGIN = re.compile(r"dispatcher\s+(\S+)")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
MILLISECOND = 1000.0


@dataclass
class Demo:
    """A running demo: where it is, its password, its folder, and when it was started."""

    address: str
    password: str
    folder: Path
    started_at: float

    @contextmanager
    def records(self) -> Iterator[Records]:
        """Open what the demo keeps, beside the demo."""
        records = SqlRecords(f"sqlite:///{self.folder / 'records.sqlite'}")
        try:
            yield records
        finally:
            records.close()

    def episodes(self, device: str) -> list[dict[str, Any]]:
        """Return the simulated faults of ``device``."""
        kept = json.loads((self.folder / "demo.json").read_text())
        return [one for one in kept["episodes"] if one["device"] == device]


def built_pages() -> Path:
    """Return where the built pages are; skip without them, unless servers are required."""
    found = next((folder for folder in FOLDERS if (folder / "index.html").is_file()), None)
    if found is not None:
        return found
    if os.environ.get("FIELDCARE_SERVERS") == "required":
        pytest.fail("the pages are required here and not built: python web/build.py")
    pytest.skip("the pages are not built: python web/build.py")


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start the demo with the command of the README; end it by its own process id."""
    command = [sys.executable, "-m", "fieldcare", "demo", "--data", str(folder / "demo")]
    command += ["--port", "0", "--fresh", "--speed", str(SPEED)]
    said = folder / "said.txt"
    started_at = time.monotonic()
    with said.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    try:
        text = _announced(said, process)
        address, password = ADDRESS.search(text), LOGIN.search(text)
        assert address is not None
        assert password is not None, text
        yield Demo(address[0], password[1], folder / "demo", started_at)
    finally:
        stop(process)


def _announced(said: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        text = said.read_text()
        if "dispatcher" in text and ADDRESS.search(text):
            return text
        if process.poll() is not None:
            raise RuntimeError(f"the demo ended with {process.returncode}: {text[-2000:]}")
        time.sleep(0.1)
    raise RuntimeError(f"no address within {START_S:.0f} s: {said.read_text()[-2000:]}")


def chromium(playwright: Playwright) -> Browser:
    """Start the Chromium of this machine; skip without it, unless servers are required."""
    path = program("chromium")
    return playwright.chromium.launch(executable_path=path, args=list(QUIET))


@dataclass
class Visitor:
    """Somebody in front of a browser, and what went wrong meanwhile."""

    demo: Demo
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def get(self, path: str) -> Any:
        """Return what the API answers this visitor."""
        answer = self.context.request.get(f"{self.demo.address}/api/v1{path}")
        assert answer.ok, (path, answer.status, answer.text())
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """Send ``body`` to the API as this visitor; return the answer."""
        answer = self.context.request.post(f"{self.demo.address}/api/v1{path}", data=body)
        assert answer.ok, (path, answer.status, answer.text())
        return answer.json()

    def go(self, path: str = "/") -> None:
        """Open a page of the demo."""
        self.page.goto(self.demo.address + path)

    def sees(self, selector: str, within_s: float = 10.0) -> Any:
        """Return what ``selector`` finds once it is there to be seen."""
        found = self.page.locator(selector).first
        found.wait_for(timeout=within_s * MILLISECOND)
        return found

    def serious_violations(self) -> list[str]:
        """Return what axe-core finds serious or critical on the page as it is."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']][:3]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]


def visitor(
    browser: Browser,
    demo: Demo,
    *,
    language: str = "zh-CN",
    size: dict[str, int] = DESK,
    signed_in: bool = True,
    dark: bool = False,
    shown_around: bool = True,
) -> Visitor:
    """Return somebody with a fresh browser profile, listening for complaints."""
    context = browser.new_context(
        locale=language,
        viewport={"width": size["width"], "height": size["height"]},
        timezone_id="America/New_York",
        color_scheme="dark" if dark else "light",
    )
    if shown_around:
        context.add_init_script("localStorage.setItem('fieldcare.tour', 'seen')")
    page = context.new_page()
    made = Visitor(demo, context, page)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("console", lambda said: _hear(made, said.type, said.text))
    page.on("request", lambda request: _check_host(made, request.url))
    if signed_in:
        made.post("/session", {"login": "dispatcher", "password": demo.password})
    return made


def _hear(visitor: Visitor, kind: str, text: str) -> None:
    """Keep what the console says; that nobody is signed in yet is an answer, not a fault."""
    if kind in ("error", "warning") and "401" not in text:
        visitor.complaints.append(text)


def _check_host(visitor: Visitor, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and not visitor.demo.address.endswith(parts.netloc):
        visitor.strangers.append(url)

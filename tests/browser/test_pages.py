"""The first page as somebody sees it who just started the demo, in a real Chromium."""

import gzip
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from aftersales.team import Technician, certified
from equipment.catalog import MODELS
from equipment.device import Device
from simulators.hospital import ZONE
from simulators.modes import MODES
from tests.browser.given_demo import (
    AXE,
    PHONE,
    Demo,
    Visitor,
    built_pages,
    chromium,
    running_demo,
    visitor,
)

pytestmark = pytest.mark.browser
FIRST_PLAN_S = 60.0
QUICK_FAULT = ("ULTF-003", "F2")
PAGES_GZIP_KB = 320

Come = Callable[..., Visitor]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    built_pages()
    with sync_playwright() as playwright:
        started = chromium(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def come(browser: Browser, demo: Demo, tmp_path: Path) -> Iterator[Come]:
    """Let somebody come to the page; afterwards nobody may have anything to complain of."""
    came: list[Visitor] = []

    def one(**fields: Any) -> Visitor:
        came.append(visitor(browser, demo, **fields))
        return came[-1]

    yield one
    for number, guest in enumerate(came):
        guest.page.screenshot(path=tmp_path / f"left_at_{number}.png")
        guest.context.close()
    assert [c for guest in came for c in guest.complaints] == []
    assert [s for guest in came for s in guest.strangers] == []


def test_within_a_minute_a_certified_technician_is_sent_because_of_a_simulated_fault(
    come: Come, demo: Demo, tmp_path: Path
) -> None:
    guest = come()
    guest.go()
    left_s = FIRST_PLAN_S - (time.monotonic() - demo.started_at)
    guest.sees(".ticket .certified", within_s=left_s)
    guest.sees("#plan .route .certified")
    guest.sees(".map-name.person")
    assert time.monotonic() - demo.started_at < FIRST_PLAN_S
    guest.page.screenshot(path=tmp_path / "first_plan.png")

    number = guest.page.locator(".ticket:has(.certified) .number").first.inner_text()
    ticket = guest.get(f"/tickets/{number}")
    assert (ticket["kind"], ticket["origin"]) == ("preventive", "device")
    assert ticket["alarms"]
    assert ticket["component"] in _components_that_fail(demo, ticket)

    with demo.records() as records, records.read() as work:
        device = work.shelf(Device).get(ticket["device"])
        technician = work.shelf(Technician).get(ticket["visit"]["technician"])
    assert device is not None
    assert technician is not None
    arrives = datetime.fromisoformat(ticket["visit"]["arrive_at"]).astimezone(ZONE).date()
    family = MODELS[device.model].family
    assert ticket["visit"]["certificate"]["family"] == family
    assert certified(technician, family, arrives)


def _components_that_fail(demo: Demo, ticket: dict[str, Any]) -> set[str]:
    """Return which components of the ticket's device were made to fail before it was opened."""
    opened_ms = datetime.fromisoformat(ticket["opened_at"]).timestamp() * 1000
    return {
        MODES[one["mode"]].component
        for one in demo.episodes(ticket["device"])
        if one["onset_ms"] < opened_ms
    }


def test_a_demo_login_takes_one_click_and_a_wrong_password_is_explained(come: Come) -> None:
    guest = come(signed_in=False)
    guest.go()
    guest.sees(".login-card")
    guest.page.get_by_label("用户名").fill("dispatcher")
    guest.page.get_by_label("密码").fill("not the password")
    guest.page.locator("button[type=submit]").click()
    assert "用户名或密码不正确" in guest.sees(".trouble").inner_text()
    guest.page.locator(".login-hints button").first.click()
    guest.sees(".tiles")
    assert guest.get("/session")["login"] == "dispatcher"


def test_the_first_visit_is_shown_around_once(come: Come) -> None:
    guest = come(language="en-GB", shown_around=False)
    guest.go()
    assert "Welcome" in guest.sees(".ant-tour").inner_text()
    guest.page.keyboard.press("Escape")
    guest.page.locator(".ant-tour").wait_for(state="hidden")
    guest.page.reload()
    guest.sees("#plan .map-frame")
    assert guest.page.locator(".ant-tour").count() == 0
    guest.page.get_by_label("Show me around").click()
    guest.sees(".ant-tour")


def test_the_language_changes_and_is_remembered(come: Come) -> None:
    guest = come()
    guest.go()
    guest.sees(".ticket")
    assert "今日计划" in guest.page.inner_text("#plan h2")
    guest.page.get_by_label("Switch to English").click()
    assert guest.page.inner_text("#plan h2") == "Today's plan"
    assert not _chinese(guest.page.inner_text("main"))
    guest.page.reload()
    guest.sees(".ticket")
    assert guest.page.inner_text("#plan h2") == "Today's plan"
    assert guest.page.evaluate("document.documentElement.lang") == "en"


def _chinese(text: str) -> list[str]:
    return [letter for letter in text if "\u4e00" <= letter <= "\u9fff"]


def test_the_clock_is_the_sites_and_countdowns_run(come: Come) -> None:
    guest = come()
    guest.go()
    here = datetime.fromisoformat(guest.get("/clock")["now"]).astimezone(ZONE)
    shown = guest.sees(".server-time time").inner_text()
    assert abs(int(shown[:2]) * 60 + int(shown[3:5]) - here.hour * 60 - here.minute) < 30
    assert "模拟时间" in guest.page.inner_text(".server-time")
    running = ".promise:has(.promise-bar) .promise-left"
    first = guest.sees(running, within_s=30).inner_text()
    guest.page.wait_for_function(
        "([selector, before]) => document.querySelector(selector)?.innerText !== before",
        arg=[running, first],
        timeout=5000,
    )


def test_an_injected_fault_becomes_a_ticket_that_is_acknowledged_and_cancelled(
    come: Come, tmp_path: Path
) -> None:
    """Nothing is reloaded: the fault is injected on one page and its ticket comes to another."""
    watching, injecting = come(), come(language="en-GB")
    device, mode = QUICK_FAULT
    watching.go()
    watching.sees(".tiles")
    watching.page.evaluate("window.never_reloaded = true")

    injecting.go(f"/?device={device}")
    injecting.sees(".inject-button").click()
    assert "certified technician" in injecting.sees(".foretold").inner_text()
    injecting.page.get_by_label("Choose a failure mode").click()
    title = next(m["title"]["en"] for m in injecting.get("/demo/modes")["items"] if m["id"] == mode)
    injecting.page.locator(f".ant-select-item-option[title='{title}']").click()
    injecting.page.get_by_role("button", name="Start the failure").click()
    number = injecting.sees(".follow .link", within_s=60).inner_text()
    injecting.page.screenshot(path=tmp_path / "injected.png")

    watching.sees(f".ticket:has-text('{number}')", within_s=10).click()
    assert watching.page.evaluate("window.never_reloaded")
    watching.sees(".drawer .alarm .chart")
    watching.page.get_by_role("button", name="响应", exact=True).click()
    watching.sees(".ant-timeline :text('人工响应')")
    watching.page.get_by_role("button", name="取消工单").click()
    watching.page.locator(".asking button[type=submit]").click()
    assert "请写明理由" in watching.sees(".asking .ant-form-item-explain").inner_text()
    watching.page.get_by_label("理由").fill("设备已由科室自行处理")
    watching.page.locator(".asking button[type=submit]").click()
    watching.sees(".ant-timeline :text('设备已由科室自行处理')")
    watching.page.screenshot(path=tmp_path / "cancelled.png")
    assert watching.get(f"/tickets/{number}")["state"] == "cancelled"
    watching.page.keyboard.press("Escape")
    watching.page.locator(f".ticket:has-text('{number}')").wait_for(state="detached")


def test_an_open_ticket_stays_open_while_the_page_is_kept_fresh(come: Come) -> None:
    guest = come()
    guest.go()
    guest.sees(".ticket").click()
    guest.sees(".drawer .part")
    before = guest.page.inner_text(".server-time time")
    with guest.page.expect_response("**/api/v1/tickets/*", timeout=15_000):
        pass
    guest.page.wait_for_function(
        "before => document.querySelector('.server-time time').innerText !== before", arg=before
    )
    assert guest.page.locator(".drawer .part").count() > 0


def test_without_the_server_the_page_keeps_what_it_has_and_recovers(come: Come) -> None:
    guest = come()
    guest.go()
    guest.sees(".ticket")
    guest.page.wait_for_timeout(3000)  # what a click needs has come by then
    guest.context.set_offline(True)
    guest.page.locator(".ticket").first.click()
    assert "无法连接" in guest.sees(".drawer .trouble", within_s=20).inner_text()
    assert guest.page.locator("li .ticket").count() > 0
    guest.context.set_offline(False)
    guest.page.locator(".drawer .trouble button").click()
    guest.sees(".drawer .part")
    guest.complaints.clear()  # that nothing could be loaded meanwhile


@pytest.mark.parametrize("path", ["/", "/quarantine", "/?device=CHEM-001", "/?ticket="])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out(come: Come, path: str, dark: bool) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: python web/build.py")
    guest = come(language="en-GB" if dark else "zh-CN", dark=dark)
    if path.endswith("ticket="):
        path += guest.get("/tickets")["items"][0]["id"]
    guest.go(path)
    guest.sees(".drawer .part" if "?" in path else ".panel")
    guest.page.wait_for_timeout(700)  # a drawer that moves has colours in between
    assert guest.serious_violations() == []


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_a_phone_never_scrolls_sideways(come: Come, language: str, tmp_path: Path) -> None:
    guest = come(language=language, size=PHONE)
    ticket = guest.get("/tickets")["items"][0]["id"]
    for path in ("/", "/quarantine", f"/?ticket={ticket}", "/?device=CHEM-001"):
        guest.go(path)
        guest.sees(".drawer .part" if "?" in path else ".panel")
        assert _sideways_px(guest) <= 0, path
    guest.go()
    for part in guest.page.locator(".parts .ant-segmented-item").all():
        part.click()
        assert _sideways_px(guest) <= 0
        name = part.get_attribute("title") or part.inner_text().split()[0]
        guest.page.screenshot(path=tmp_path / f"phone_{name}.png", full_page=True)


def _sideways_px(guest: Visitor) -> int:
    return int(guest.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_the_pages_are_light_enough_for_a_slow_line(come: Come) -> None:
    """The whole first page with its map: what a browser without a cache has to load."""
    guest = come()
    scripts: dict[str, int] = {}

    def keep(response: Any) -> None:
        if response.url.endswith(".js"):
            scripts[response.url] = len(gzip.compress(response.body(), 6))

    guest.page.on("response", keep)
    guest.go()
    guest.sees(".map-frame .map")
    guest.sees(".panel")
    assert 0 < sum(scripts.values()) < PAGES_GZIP_KB * 1000

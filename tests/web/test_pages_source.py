import json
import re
from pathlib import Path

import pytest

from web import build

WEB = build.WEB
OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)


def test_the_lock_file_names_no_host() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_every_package_is_pinned_by_its_content() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [n for n, p in packages.items() if n and "integrity" not in p] == []


@pytest.mark.parametrize(
    "file", [WEB / "index.html", *sorted((WEB / "src").rglob("*.ts*"))], ids=str
)
def test_the_pages_ask_no_other_host(file: Path) -> None:
    assert OUTSIDE.findall(file.read_text(encoding="utf-8")) == []


def test_a_page_without_inline_script_needs_no_exception_in_the_policy() -> None:
    html = (WEB / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []


def test_the_fingerprint_sees_what_is_built_from() -> None:
    file = WEB / "index.html"
    assert build.digest([file]) == build.digest([file])
    assert build.digest([file]) != build.digest([file, WEB / "package.json"])


def test_unit_tests_of_the_pages_are_not_built_from() -> None:
    built_from = [file.relative_to(WEB).as_posix() for file in build.source_files()]
    assert "src/main.tsx" in built_from
    assert [name for name in built_from if "tests/" in name] == []

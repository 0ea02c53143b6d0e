"""The map of the code tells the truth: one line a module, as the module says itself."""

import ast
from pathlib import Path

import pytest

from tests.architecture.mapping import MAP, PACKAGES, ROOT, lines_of, modules

MODULES = modules()


def test_every_module_has_its_line_on_the_map() -> None:
    written = (ROOT / MAP).read_text("utf-8")
    missing = [line for line in lines_of(MODULES) if line not in written]
    assert missing == [], "run `python -m tests.architecture.mapping` and look at what changed"


def test_the_map_names_no_module_that_is_gone() -> None:
    named = {
        line.split("`")[1]
        for line in (ROOT / MAP).read_text("utf-8").splitlines()
        if line.startswith("| `")
    }
    assert named <= {path.relative_to(ROOT).as_posix() for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_can_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 500
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_the_wheel_carries_every_package() -> None:
    listed = (ROOT / "pyproject.toml").read_text("utf-8")
    assert all(f'"{package}"' in listed for package in PACKAGES)

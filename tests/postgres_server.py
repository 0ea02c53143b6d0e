"""A real PostgreSQL of our own: on loopback, in a temporary folder, stopped by its process."""

import contextlib
import getpass
import glob
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port, stop, wait_for_port

_STARTING_S = 0.3


def program(name: str) -> str | None:
    """Return where a PostgreSQL server program is: on the PATH or where Debian puts it."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a server and give its URL; skip where there is none, unless servers are required."""
    initdb, server = program("initdb"), program("postgres")
    if initdb is None or server is None:
        if os.environ.get("FIELDCARE_SERVERS") == "required":
            pytest.fail("PostgreSQL's server programs are required here and missing")
        pytest.skip("PostgreSQL's server programs are not installed")
    # The server refuses to run as root; Debian brings the user postgres for it.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    data = folder / "data"
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        _open_the_way(folder)
    as_user = {"user": user, "extra_groups": []} if os.geteuid() == 0 else {}
    made = subprocess.run(
        [initdb, "-D", data, "-U", "fieldcare", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        **as_user,
    )
    assert made.returncode == 0, made.stderr
    port = free_port()
    process = subprocess.Popen(
        [server, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_user,
    )
    try:
        wait_for_port(port, process)
        time.sleep(_STARTING_S)  # it accepts connections a moment before it answers
        yield f"postgresql+psycopg://fieldcare@127.0.0.1:{port}/postgres"
    finally:
        stop(process)


def _open_the_way(folder: Path) -> None:
    """Let another user pass through the temporary folders above ``folder``."""
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o011)

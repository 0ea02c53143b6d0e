"""A full disk: nothing is acknowledged that is not stored, and it goes on by itself."""

import pytest

from benchmarks.full_disk import run, small_disk


def test_a_full_disk_loses_nothing_and_needs_no_hand() -> None:
    try:
        with small_disk():
            pass
    except PermissionError as error:
        pytest.skip(str(error))
    found = run("embedded", "sqlite")
    assert found.acked > 0
    assert found.waited > 0
    assert (found.lost, found.missing, found.duplicated) == (0, 0, 0)

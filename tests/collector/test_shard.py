"""Shards of sites: every site has one, and keeps it."""

import pytest

from collector.shard import Shard, shard

SITES = [f"S{n:03d}" for n in range(600)]


def test_every_site_belongs_to_one_shard_and_the_shares_are_alike() -> None:
    shares = [[site for site in SITES if Shard(n, 3).has(site)] for n in (1, 2, 3)]
    assert sorted(site for share in shares for site in share) == SITES
    assert all(160 < len(share) < 240 for share in shares)


def test_a_site_keeps_its_shard_in_every_version_of_the_program() -> None:
    numbers = {
        site: n for site in ("S001", "S002", "H1") for n in (1, 2, 3) if Shard(n, 3).has(site)
    }
    assert numbers == {"S001": 2, "S002": 3, "H1": 1}


def test_the_only_shard_hears_everybody_and_one_of_several_its_sites() -> None:
    assert Shard().filters(SITES) == ("fc/v1/+/+/+", "spBv1.0/+/+/+", "spBv1.0/+/+/+/+")
    assert Shard().client_id == "fieldcare-collector"
    mine = Shard(2, 3)
    own = [site for site in SITES if mine.has(site)]
    wanted = ("fc/v1/{}/+/+", "spBv1.0/{}/+/+", "spBv1.0/{}/+/+/+")
    assert mine.filters(SITES) == tuple(one.format(site) for one in wanted for site in own)
    assert mine.client_id == "fieldcare-collector-2-of-3"


def test_a_shard_is_read_from_text() -> None:
    assert shard("2/3") == Shard(2, 3)


@pytest.mark.parametrize("wrong", ["", "3", "0/2", "3/2", "-1/2", "1/1001", "a/b", "1/2/3", "²/3"])
def test_what_is_no_shard_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="shard"):
        shard(wrong)

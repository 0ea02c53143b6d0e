"""Filters find topics, whichever way one looks."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.admission import device_principal
from collector.topics import Tree, covers, filter_is_valid, matches, topic_is_valid

levels = st.sampled_from(["a", "b", "", "$x"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(topic_is_valid)
filters = (
    st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=4)
    .flatmap(lambda some: st.sampled_from(["/".join(some), "/".join([*some[:-1], "#"])]))
    .filter(filter_is_valid)
)


@pytest.mark.parametrize(
    ("wanted", "topic", "so"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a", True),
        ("+/+", "/a", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
    ],
)
def test_matches_as_the_standard_says(wanted: str, topic: str, so: bool) -> None:
    assert matches(wanted, topic) is so


@pytest.mark.parametrize("wanted", ["", "a+", "a/#/b", "a#", "+a/b", "a/b#", "x" * 600])
def test_a_filter_that_is_none_is_refused(wanted: str) -> None:
    assert not filter_is_valid(wanted)


@given(st.lists(filters, max_size=8), topics)
def test_the_tree_finds_exactly_the_filters_that_match(some: list[str], topic: str) -> None:
    tree: Tree[int] = Tree()
    for number, wanted in enumerate(some):
        tree.add(wanted, number)
    found = sorted(tree.find(topic))
    assert found == [n for n, wanted in enumerate(some) if matches(wanted, topic)]


@given(st.lists(filters, min_size=1, max_size=6), topics)
def test_the_tree_forgets_what_is_removed(some: list[str], topic: str) -> None:
    tree: Tree[int] = Tree()
    for number, wanted in enumerate(some):
        tree.add(wanted, number)
    for number, wanted in enumerate(some):
        tree.remove(wanted, number)
    assert list(tree.find(topic)) == []
    assert not tree._root.children


@given(filters, filters, topics)
@example("+/#", "$x/a/a/a", "$x/a/a/a")
def test_a_filter_covers_another_only_if_it_matches_all_of_its_topics(
    wide: str, narrow: str, topic: str
) -> None:
    if covers(wide, narrow) and matches(narrow, topic):
        assert matches(wide, topic)


def test_a_device_speaks_for_itself_only() -> None:
    device = device_principal("D1")
    assert device.may_publish("fc/v1/S1/D1/tele")
    assert not device.may_publish("fc/v1/S1/D2/tele")
    assert device.may_subscribe("fc/v1/S1/D1/cmd")
    assert device.may_subscribe("fc/v1/+/D1/cmd")
    assert not device.may_subscribe("fc/v1/+/+/cmd")
    assert not device.may_subscribe("fc/v1/S1/D1/tele")
    assert not device.may_subscribe("#")


@pytest.mark.parametrize("device", ["", "a/b", "+", "#", "a+"])
def test_a_device_id_that_would_open_other_topics_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match="device id"):
        device_principal(device)

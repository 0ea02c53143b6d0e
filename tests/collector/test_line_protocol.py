"""A point is read from its line as it was written; whatever else a line holds, it is named."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.line_protocol import LINE_LIMIT, BadLine, Point, point, whole_lines
from tests.collector.given_lines import Value, line

names = st.text(st.characters(exclude_characters='\\\n\r"', codec="utf-8"), min_size=1)
texts = st.text(st.characters(codec="utf-8"))
floats = st.floats(allow_nan=False, allow_infinity=False)
values = floats | st.integers(-(2**63), 2**63 - 1) | st.booleans() | texts


def read(text: str) -> Point:
    ((_, whole),) = whole_lines(iter(list(enumerate(text.splitlines(keepends=True), 1))))
    return point(whole)


@given(
    names.filter(lambda name: name[0] != "#" and not name.isspace()),
    st.dictionaries(names, names, max_size=3),
    st.dictionaries(names, values, min_size=1, max_size=4),
    st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_what_was_written_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, Value], time: int | None
) -> None:
    found = point(line(measurement, tags, fields, time))
    assert found.measurement == measurement
    assert found.tags == tags
    assert found.fields == {k: float(v) for k, v in fields.items() if not isinstance(v, str)}
    assert found.texts == [k for k, v in fields.items() if isinstance(v, str)]
    assert found.time == time


@given(st.text() | st.text(r"ab,= \"1.ietf-"))
def test_any_other_text_is_a_point_or_a_bad_line(text: str) -> None:
    with suppress(BadLine):
        assert isinstance(point(text), Point)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("m f=1", {"f": 1.0}),
        ("m f=-1.5e3,g=.5", {"f": -1500.0, "g": 0.5}),
        ("m f=18446744073709551615u", {"f": 2.0**64}),
        ("m f=t,g=FALSE", {"f": 1.0, "g": 0.0}),
        ('m s="a, b=1 2",f=2i 5', {"f": 2.0}),
        (r'm s="a \" b\\",f=2', {"f": 2.0}),
        (r"m\ 1,a\=b=c\,d f\ 1=2", {"f 1": 2.0}),
        ("m   f=1   5", {"f": 1.0}),
    ],
)
def test_fields_are_typed(text: str, fields: dict[str, float]) -> None:
    assert point(text).fields == fields


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("m", "no field"),
        (",a=b f=1", "no measurement"),
        ("m,a f=1", "tag 'a' is not name=value"),
        ("m,a= f=1", "tag 'a=' is not"),
        ("m f", "field 'f' is not name=value"),
        ("m f=1,", "field '' is not"),
        ("m f=nan", "field f: 'nan' is no number"),
        ("m f=1_0", "'1_0' is no number"),
        ("m f=1e999", "'1e999' is no number"),
        ("m f=1x", "'1x' is no number"),
        ("m f=1 noon", "time 'noon' is no whole number"),
        ("m f=1 1.5", "time '1.5'"),
        ('m f="open', "field 'f=\"open' is not"),
        ('m f="a"b', "expected a comma or the time"),
    ],
)
def test_a_bad_line_names_its_wrong_part(text: str, says: str) -> None:
    with pytest.raises(BadLine) as caught:
        point(text)
    assert says in str(caught.value)


def test_the_frame_of_an_export_is_left_out_and_a_text_may_span_lines() -> None:
    text = (
        "# DDL\nCREATE DATABASE fieldcare WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:fieldcare\n"
        'm f=1 1\n\nm note="first\nm f=99 99\nlast",f=2 2\nm,a=5" f=3 3\n'
    )
    whole = list(whole_lines(iter(list(enumerate(text.splitlines(keepends=True), 1)))))
    assert [number for number, _ in whole] == [5, 7, 10]
    assert [point(one).fields for _, one in whole] == [{"f": 1.0}, {"f": 2.0}, {"f": 3.0}]
    assert point(whole[2][1]).tags == {"a": '5"'}


def test_a_text_that_never_ends_is_given_up() -> None:
    many = [(1, 'm f="'), *((n, "x" * 1000 + "\n") for n in range(2, 200))]
    first = next(whole_lines(iter(many)))[1]
    assert len(first) < LINE_LIMIT + 2000

"""F10 in the parsers themselves: both read by one rule, and what was read exactly is read back exactly."""

import json
from typing import Any

import orjson
import pytest

from portal.canon import DEEPEST, NotJson, NotStrict, canonical, parse, read

BLANK = b" "  # one blank, and the fast parser's word does not count any more


def nested(levels: int, inner: bytes = b"") -> bytes:
    return b"[" * levels + inner + b"]" * levels


def objects(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize("made", [nested, objects])
def test_the_deepest_level_is_the_same_for_both_parsers(made: Any) -> None:
    assert parse(made(DEEPEST)) == parse(made(DEEPEST) + BLANK) == json.loads(made(DEEPEST))
    for data in (made(DEEPEST + 1), made(DEEPEST + 1) + BLANK, made(10_000), made(10_000) + BLANK):
        with pytest.raises(NotStrict, match="deeper"):
            parse(data)


@pytest.mark.parametrize("inner", [b"1", b'"x"', b"null"])
def test_a_value_is_no_level(inner: bytes) -> None:
    assert parse(nested(DEEPEST, inner)) == parse(nested(DEEPEST, inner) + BLANK)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (str(2**63), 2**63),
        (str(2**64), 2**64),
        (str(-(2**63)), -(2**63)),
        (str(-(2**63) - 1), -(2**63) - 1),
        ("9" * 40, int("9" * 40)),
        ("-" + "9" * 4000, -int("9" * 4000)),
        (r'"\ud800"', "\ud800"),
        (r'"\udc00\ud800"', "\udc00\ud800"),
        (r'"\u0000"', "\0"),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("5e-324", 5e-324),
        ("-0.0", -0.0),
        ('"' + "x" * 100_000 + '"', "x" * 100_000),
    ],
)
@pytest.mark.parametrize("around", ['{"a":%s}', '{ "a" : %s }', '{"a":[%s,1.5,"12345678901234567890"]}'])
def test_what_is_odd_is_read_exactly_and_read_back_exactly(text: str, value: Any, around: str) -> None:
    data = (around % text).encode()
    found = parse(data)
    for one in (found, read(canonical(found))):
        kept = one["a"][0] if isinstance(one["a"], list) else one["a"]
        assert type(kept) is type(value)
        assert str(kept) == str(value)
    assert canonical(read(canonical(found))) == canonical(found)


def test_a_text_of_ten_megabytes_is_kept_whole() -> None:
    found = {"a": "x" * 10_000_000}
    assert read(canonical(parse(b'{"a":"%s"}' % (b"x" * 10_000_000)))) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NaN", "finite"),
        ("-Infinity", "finite"),
        ("1e400", "beyond"),
        ("-1e400", "beyond"),
        ('{"a":1,"a":1}', "twice"),
        ('{"a":1,"\\u0061":2}', "twice"),
    ],
)
@pytest.mark.parametrize("around", ["%s", " %s ", '{"b":[%s]}'])
def test_what_can_be_read_in_two_ways_is_refused(text: str, says: str, around: str) -> None:
    with pytest.raises(NotStrict, match=says):
        parse((around % text).encode())


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":1', b"[1,]", b"{'a':1}", b"01", b"nope", b'{"a":1}}'])
def test_what_is_no_json_is_called_so(data: bytes) -> None:
    with pytest.raises(NotJson):
        parse(data)


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(NotStrict, match="UTF-8"):
        parse(b'{"a":"\xff"}')


def test_the_fast_parser_alone_would_round_and_forget() -> None:
    """Why there are two: otherwise the tests above could not fail."""
    assert orjson.loads("9" * 40) != int("9" * 40)
    assert orjson.loads('{"a":1,"a":2}') == {"a": 2}

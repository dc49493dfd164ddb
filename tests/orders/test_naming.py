"""Names of several machines by their patterns, as RunInstances documents them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel.errors import InvalidParameter
from vmart.orders.errors import BadHostName, NameTooLong
from vmart.orders.naming import host_names, names

PUBLISHED = [
    ("server_", 2, ["server_1", "server_2"]),
    ("server_", 1, ["server_"]),
    ("server_{R:3}", 1, ["server_3"]),
    ("server_{R:3}", 2, ["server_3", "server_4"]),
    ("server_{R:3,F:3}", 2, ["server_003", "server_004"]),
    ("server_{R:3,F:0}", 2, ["server_3", "server_4"]),
    ("app_{R:99,F:2}", 2, ["app_99", "app_100"]),
    ("x{}", 2, ["x{}1", "x{}2"]),
    ("a{R:1}b{R:7,F:2}", 3, ["a1b07", "a2b08", "a3b09"]),
    ("{R:1,F:8}", 1, ["00000001"]),
    ("x{R:1,F:9}", 2, ["x{R:1,F:9}1", "x{R:1,F:9}2"]),
    ("x{r:1}{R:}{R:-1}", 1, ["x{r:1}{R:}{R:-1}"]),
    ("x{IP}", 2, ["x{IP}1", "x{IP}2"]),
    ("", 2, ["Unnamed", "Unnamed"]),
]


@pytest.mark.parametrize(("name", "count", "made"), PUBLISHED)
def test_published_names(name: str, count: int, made: list[str]) -> None:
    assert names(name, count) == made


@pytest.mark.parametrize(
    ("hostname", "count", "made"),
    [
        ("node", 2, ["node1", "node2"]),
        ("node-{R:3,F:2}.shop", 2, ["node-03.shop", "node-04.shop"]),
        ("node-{IP}", 2, ["node-{IP}", "node-{IP}"]),  # each has its own address
        ("web-{IP}-{R:1}", 2, ["web-{IP}-1", "web-{IP}-2"]),
        ("a.b-c.d", 1, ["a.b-c.d"]),
        ("12", 1, ["12"]),
        ("", 3, ["", "", ""]),
    ],
)
def test_published_host_names(hostname: str, count: int, made: list[str]) -> None:
    assert host_names(hostname, count) == made


@pytest.mark.parametrize(
    ("name", "count", "longest"),
    [("n" * 129, 1, 129), ("n" * 128, 2, 129), ("n" * 121 + "{R:9,F:8}", 1, 130), ("n" * 120 + "{R:99,F:1}", 1, 130)],
)
def test_a_name_is_at_most_128_characters_with_its_pattern_and_each_number(name: str, count: int, longest: int) -> None:
    with pytest.raises(NameTooLong) as refused:
        names(name, count)
    assert (refused.value.field, refused.value.params) == ("name", {"most": 128, "count": longest})
    assert len(names(name[1 + longest - 129 :], count)) == count


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\u2028"])
def test_a_name_has_no_control_characters(name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        names(name, 1)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    ("hostname", "count"),
    [
        ("a", 1), ("-a", 1), ("a-", 1), (".a", 1), ("a.", 1), ("a..b", 1), ("a--b", 1), ("a.-b", 1), ("a_b", 1),
        ("a{}", 1), ("a b", 1), ("ä1", 1), ("h" * 61, 1), ("h" * 60, 2), ("h" * 60, 100), ("h" * 46 + "{IP}", 1),
        ("h-", 1), ("h{R:1}-", 1),
    ],
)  # fmt: skip
def test_a_host_name_that_does_not_fit(hostname: str, count: int) -> None:
    with pytest.raises(BadHostName) as refused:
        host_names(hostname, count)
    assert refused.value.field == "hostname"


def test_the_length_of_a_host_name_counts_numbers_and_addresses() -> None:
    assert host_names("h" * 59, 9) == ["h" * 59 + str(n) for n in range(1, 10)]
    assert host_names("h" * 45 + "{IP}", 1) == ["h" * 45 + "{IP}"]
    assert host_names("h-", 2) == ["h-1", "h-2"]


patterns = st.lists(
    st.from_regex(r"[a-z_{}]{0,6}", fullmatch=True) | st.from_regex(r"\{R:[0-9]{1,4}(,F:[0-8])?\}", fullmatch=True),
    min_size=1, max_size=6,
).map("".join).filter(bool)  # fmt: skip


@given(patterns, st.integers(1, 100))
def test_no_two_machines_have_the_same_name(name: str, count: int) -> None:
    made = names(name, count)
    assert len(made) == len(set(made)) == count
    if not re.search(r"\{R:\d+(,F:[0-8])?\}", name):
        assert made == ([name] if count == 1 else [f"{name}{n}" for n in range(1, count + 1)])


@given(patterns, st.integers(0, 128), st.integers(1, 100))
def test_a_name_is_refused_exactly_where_it_or_one_of_its_names_is_longer_than_128(
    pattern: str, padding: int, count: int
) -> None:
    name = "n" * padding + pattern
    made = names(pattern, count)
    longest = padding + max(len(pattern), *map(len, made))
    if longest > 128:
        with pytest.raises(NameTooLong) as refused:
            names(name, count)
        assert refused.value.params == {"most": 128, "count": longest}
    else:
        assert names(name, count) == ["n" * padding + each for each in made]


host_patterns = st.lists(
    st.sampled_from(["a", "b7", "{IP}", "{R:3}", "{R:98,F:2}", "{R:0,F:8}", "-", "."]), min_size=1, max_size=5
).map("".join)


@given(host_patterns, st.integers(1, 100))
def test_no_two_machines_have_the_same_host_name_and_each_fits(hostname: str, count: int) -> None:
    """Given addresses that differ, as those of one order do."""
    try:
        made = host_names(hostname, count)
    except BadHostName as refused:
        assert refused.field == "hostname"
        return
    filled = [name.replace("{IP}", f"10.0.0.{n}") for n, name in enumerate(made)]
    assert len(filled) == len(set(filled)) == count
    assert all(2 <= len(name) <= 60 and re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", name) for name in filled)

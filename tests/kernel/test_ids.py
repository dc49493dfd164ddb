"""Ids that do not collide, cannot be guessed, and are the same for the same thing, here and in SQL."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel import db, ids
from vmart.kernel.db import IdBlock

KEY = bytes(range(32))
SPACE = 36**8
numbers = st.integers(0, SPACE - 1)


@given(number=numbers, key=st.binary(min_size=16, max_size=64))
def test_a_number_stays_within_the_space(number: int, key: bytes) -> None:
    assert 0 <= ids.permute(key, number) < SPACE


@given(chosen=st.lists(numbers, min_size=2, max_size=50, unique=True), key=st.binary(min_size=16, max_size=64))
def test_two_numbers_never_meet(chosen: list[int], key: bytes) -> None:
    assert len({ids.permute(key, number) for number in chosen}) == len(chosen)


def test_neighbours_have_ids_without_likeness() -> None:
    """Of 20,000 numbers in a row no two collide, and each place of the id takes each character about as often."""
    made = [ids.public_id(KEY, "ins", number) for number in range(20_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"ins-[0-9a-z]{8}", each) for each in made)
    for place in range(4, 12):
        seen = [each[place] for each in made]
        counts = [seen.count(character) for character in set(seen)]
        assert len(counts) == 36
        assert min(counts) > 400 and max(counts) < 720  # 556 each, if they are random; seven deviations off


@given(number=numbers)
def test_a_machines_uuid_and_its_public_id_are_found_by_each_other(number: int) -> None:
    public_id = ids.public_id(KEY, "ins", number)
    made = ids.machine_uuid(public_id)
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert ids.machine_of_uuid(str(made)) == public_id


def test_a_machines_uuid_is_the_same_for_ever() -> None:
    assert str(ids.machine_uuid("ins-4k2j0qzt")) == "6d616368-696e-8065-8000-0053278303a9"


@pytest.mark.parametrize(
    "text",
    [
        "", "ins-4k2j0qzt", "6D616368-696E-8065-8000-0053278303A9", "{6d616368-696e-8065-8000-0053278303a9}",
        "6d616368-696e-8065-8fff-ffffffffffff", "6d616368-696e-8065-9000-0053278303a9",
        "7d616368-696e-8065-8000-0053278303a9", str(uuid.UUID(int=0)), "\0" * 36,
    ],
)  # fmt: skip
def test_what_is_no_machines_uuid_names_none(text: str) -> None:
    assert ids.machine_of_uuid(text) == ""


def test_ids_are_the_deployments_and_the_kinds() -> None:
    other = ids.public_id(bytes(reversed(KEY)), "ins", 17)
    assert ids.public_id(KEY, "ins", 17) not in (other, ids.public_id(KEY, "disk", 17).replace("disk", "ins"))
    # What customers have written down must name the same machine in every later version.
    assert [ids.public_id(KEY, "ins", number) for number in (0, 1, SPACE - 1)] == [
        "ins-qbdbrtv0",
        "ins-g5k11t9a",
        "ins-dj91c878",
    ]


@pytest.mark.parametrize("number", [-1, SPACE])
def test_a_number_outside_the_space_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        ids.public_id(KEY, "ins", number)


def test_a_transfer_is_named_by_what_it_pays_for() -> None:
    made = ids.transfer_id("hour", 7, "2026-03-10T02")
    assert made == ids.transfer_id("hour", 7, "2026-03-10T02")
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert len({made, ids.transfer_id("hour", 7, "2026-03-10T03"), ids.transfer_id("hold", 7, "2026-03-10T02")}) == 3


words = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)


@pytest.mark.usefixtures("db")
@given(kind=words, subject=words, period=words)
def test_sql_names_a_transfer_the_same(kind: str, subject: str, period: str) -> None:
    told = db.rows("SELECT fn.kernel_transfer_id(%s, %s, %s) AS id", kind, subject, period)
    assert told == [{"id": ids.transfer_id(kind, subject, period)}]


@pytest.mark.usefixtures("db")
def test_numbers_come_in_blocks_and_never_twice() -> None:
    """Given two processes on one sequence, then each number is one's alone, also over the end of a block."""
    one, other = IdBlock("orders_block", 4), IdBlock("orders_block", 4)
    taken = one.take(3) + other.take(3) + one.take(7) + other.take(1)
    assert len(set(taken)) == 14
    assert taken[:3] == list(range(taken[0], taken[0] + 3))

"""Given hosts with machines that may be taken back, then just those go without which others find room."""

from hypothesis import given
from hypothesis import strategies as st

from vmart.placement.making_room import Apart, Room, Taken, plan

SMALL, LARGE = Room(1, 1024, 10), Room(4, 4096, 40)


def _taken(*hosts: int, leaving: tuple[int, ...] = (), room: Room = SMALL) -> list[Taken]:
    return [Taken(number, host, room, leaving=number in leaving) for number, host in enumerate(hosts, 1)]


def test_none_goes_where_room_is_free_or_leaving() -> None:
    assert plan({1: SMALL}, _taken(1), SMALL, 1) == ()
    assert plan({1: Room(0, 0, 0)}, _taken(1, 1, leaving=(2,)), SMALL, 1) == ()
    assert plan({1: Room(0, 0, 0)}, _taken(1, 1, leaving=(2,)), SMALL, 2) == (1,)


def test_the_newest_of_the_host_with_the_fewest_go() -> None:
    none = Room(0, 0, 0)
    assert plan({1: none, 2: Room(3, 3072, 30)}, _taken(1, 1, 1, 1, 2, 2), LARGE, 1) == (5,)
    assert plan({1: none}, _taken(1, 1, 1, 1, 1), LARGE, 1) == (1, 2, 3, 4)
    assert plan({2: none, 1: none}, _taken(2, 1), SMALL, 1) == (2,)  # alike: the host that was first
    assert plan({1: none, 2: none}, _taken(2, 1), SMALL, 2) == (2, 1)


def test_none_goes_where_all_would_not_do() -> None:
    assert plan({1: Room(0, 0, 0)}, _taken(1, 1, 1), LARGE, 1) is None
    assert plan({1: Room(0, 0, 0)}, _taken(1, 1, 1), SMALL, 4) is None
    assert plan({}, _taken(9), SMALL, 1) is None  # its host takes no machines
    assert plan({1: Room(9, 9999, 0)}, [Taken(1, 1, Room(1, 1, 1))], SMALL, 1) is None  # one dimension is enough


def test_who_lies_apart_has_only_those_go_on_whose_hosts_they_may_lie() -> None:
    none = Room(0, 0, 0)
    hosts, machines = {1: none, 2: none, 3: none}, _taken(1, 2, 2, 3)
    apart = Apart({1: "a", 2: "b"}, {"a": 1, "b": 1})
    assert plan(hosts, machines, SMALL, 2, apart) == (1, 2)
    assert plan(hosts, machines, SMALL, 3, apart) is None
    assert plan(hosts, machines, SMALL, 2, Apart({1: "a", 2: "a"}, {"a": 1})) is None  # of one rack
    assert plan(hosts, machines, SMALL, 2, Apart({2: "b"}, {"b": 2})) == (2, 3)
    assert plan({3: SMALL}, machines, SMALL, 1, apart) is None  # free, and none of the group may lie there


_ROOMS = st.builds(Room, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))


@given(
    st.dictionaries(st.integers(1, 3), _ROOMS, max_size=3),
    st.lists(st.tuples(st.integers(1, 3), _ROOMS, st.booleans()), max_size=8),
    st.builds(Room, st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)), st.integers(1, 3),
)  # fmt: skip
def test_whoever_goes_what_was_asked_for_fits(
    free: dict[int, Room], machines: list[tuple[int, Room, bool]], needed: Room, count: int
) -> None:
    taken = [Taken(number, host, room, leaving=leaving) for number, (host, room, leaving) in enumerate(machines)]
    going = plan(free, taken, needed, count)
    everyone = tuple(each.id for each in taken if not each.leaving and each.host in free)
    if going is None:
        assert _fits(free, taken, everyone, needed) < count
        return
    assert len(set(going)) == len(going) and set(going) <= set(everyone)
    assert _fits(free, taken, going, needed) >= count
    if count == 1 and going:
        assert _fits(free, taken, going[:-1], needed) == 0


def _fits(free: dict[int, Room], taken: list[Taken], gone: tuple[int, ...], needed: Room) -> int:
    """How many find room on hosts of which these are gone."""
    total = 0
    for host, room in free.items():
        left = room
        for each in taken:
            if each.host == host and (each.leaving or each.id in gone):
                left = left.plus(each.room)
        while left.holds(needed):
            left, total = left.minus(needed), total + 1
    return total

"""Given two requests with one client token, then they are the same where they say the same, in whatever version."""

from dataclasses import dataclass, field

from django.conf import settings

from vmart.orders import tokens


@dataclass(frozen=True)
class Inner:
    size: int
    kind: str = "SSD"


@dataclass(frozen=True)
class Before:
    ids: list[str]
    count: int = field(default=1, metadata=tokens.TOLD)
    disks: tuple[Inner, ...] = ()


@dataclass(frozen=True)
class LaterInner(Inner):
    snapshot: str = ""


@dataclass(frozen=True)
class Later(Before):
    speed: int = 0
    tags: list[str] = field(default_factory=list)


def _of(asked: object) -> bytes:
    return tokens.fingerprint("act", asked)


def test_a_field_that_a_later_version_adds_changes_nothing_where_it_is_left_as_it_is() -> None:
    before = _of(Before(["a"], 1, (Inner(5),)))
    assert before == settings.SECRETS.fingerprint(b"act|{'ids': ['a'], 'count': 1, 'disks': ({'size': 5},)}")
    assert _of(Later(["a"], 1, (LaterInner(5),))) == before


def test_whatever_differs_makes_another_request() -> None:
    same = Later(["a"], 1, (LaterInner(5),))
    others = [
        Later(["b"], 1, (LaterInner(5),)), Later(["a"], 2, (LaterInner(5),)), Later(["a"], 1, ()),
        Later(["a"], 1, (LaterInner(5, "HDD"),)), Later(["a"], 1, (LaterInner(5, snapshot="s"),)),
        Later(["a"], 1, (LaterInner(5),), speed=1), Later(["a"], 1, (LaterInner(5),), tags=["t"]),
    ]  # fmt: skip
    assert len({_of(asked) for asked in (same, *others)}) == 8
    assert tokens.fingerprint("another act", same) != _of(same)

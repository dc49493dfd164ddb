"""Given a host that forwards no IPv6, when a machine gets an address, then it does, and is a router for nobody else."""

import os
from pathlib import Path

import pytest

from vmart.config.places import HOST_NOTES
from vmart.engines.contract import EngineError
from vmart.engines.incus import links
from vmart.engines.incus.host import names_of_deployment

_FORWARDING, _TOLD = links.FORWARDING, links.TOLD
_HEARS = {
    "all": "1", "default": "1", "eth0": "1", "eth1": "2", "wlan0": "0", "v6-12345abcdefg": "1", "v12345-0a1b2c3d": "1",
    "veth0": "1",
}  # fmt: skip


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's settings: interfaces that hear routers or not, and forwarding off."""
    for name, value in _HEARS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "accept_ra").write_text(f"{value}\n")
        (tmp_path / name / "disable_ipv6").write_text("0\n")
    (tmp_path / "all" / "forwarding").write_text("0\n")
    monkeypatch.setattr(links, "_CONF", tmp_path)
    monkeypatch.setattr(links, "FORWARDING", tmp_path / "all" / "forwarding")
    monkeypatch.setattr(links, "TOLD", tmp_path / "run" / "told")
    return tmp_path


def _hears(conf: Path) -> dict[str, str]:
    return {name: (conf / name / "accept_ra").read_text().strip() for name in _HEARS}


def test_it_is_closed_for_others_before_it_forwards(conf: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def close() -> None:
        seen.append((links.FORWARDING.read_text().strip(), bool(links.rules_for_others())))

    assert links.rules_for_others() == ()
    links.see_to_host(close)
    assert (seen, links.FORWARDING.read_text()) == ([("0", True)], "1")
    assert links.rules_for_others()[-1] == "drop"
    # Once is enough, and what is closed stays so.
    links.see_to_host(close)
    assert (len(seen), links.rules_for_others()[-1]) == (1, "drop")


def test_an_interface_that_heard_routers_goes_on_but_none_of_a_machine(conf: Path) -> None:
    links.see_to_host(lambda: None)
    assert _hears(conf) == _HEARS | {"eth0": "2", "veth0": "2"}


def test_a_host_that_forwards_already_stays_as_it_is(conf: Path) -> None:
    links.FORWARDING.write_text("1\n")
    links.see_to_host(lambda: pytest.fail("nothing is closed"))
    assert (links.rules_for_others(), _hears(conf)) == ((), _HEARS)


def test_what_cannot_be_closed_is_not_opened(conf: Path) -> None:
    def close() -> None:
        raise EngineError("The packet filter does not answer.", transient=True)

    with pytest.raises(EngineError):
        links.see_to_host(close)
    assert links.FORWARDING.read_text().strip() == "0"


@pytest.mark.parametrize("those", ["all", "default"])
def test_a_host_that_has_ipv6_turned_off_sells_none(conf: Path, those: str) -> None:
    assert links.why_not() == ""
    (conf / those / "disable_ipv6").write_text("1\n")
    assert links.why_not() == "IPv6 is turned off on the host"


def test_names_of_links_fit_and_are_known_for_those_of_machines() -> None:
    names = names_of_deployment("shop")
    link = names.link("ins-0a1b2c3d")
    assert (len(link), link.startswith(f"v6-{names.deployment}"), link == names.link("ins-0a1b2c3e")) == (
        15,
        True,
        False,
    )


@pytest.mark.parametrize("closed", [_FORWARDING, _TOLD], ids=["the setting", "the mark"])
def test_where_it_may_not_be_told_to_forward_none_are_sold(
    conf: Path, monkeypatch: pytest.MonkeyPatch, closed: Path
) -> None:
    """Given a worker who may write one and not the other; a host that forwards by itself needs neither."""
    refused = {links.FORWARDING} if closed == _FORWARDING else set(links.TOLD.parents)

    def may(path: Path, mode: int, **how: bool) -> bool:
        assert (mode, how) == (os.W_OK, {"effective_ids": True})
        return path not in refused

    monkeypatch.setattr(os, "access", may)
    assert links.why_not() == links.MAY_NOT
    links.FORWARDING.write_text("1\n")
    assert links.why_not() == ""


def test_the_mark_is_where_the_worker_may_leave_it() -> None:
    assert _TOLD.parent == HOST_NOTES

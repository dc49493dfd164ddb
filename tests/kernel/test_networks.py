"""Networks of IPv6 as people write them: no text but that of the network comes of them."""

import pytest

from vmart.engines.incus import groups
from vmart.engines.rules import ANY, Rule
from vmart.kernel.networks import network6


def test_a_network_is_told_as_everybody_writes_it() -> None:
    assert str(network6("2001:DB8:0::1/64", strict=False)) == "2001:db8::/64"
    with pytest.raises(ValueError, match="has host bits set"):
        network6("2001:db8::1/64")


@pytest.mark.parametrize("text", ["::%eth0/0", "fe80::%x } accept\nflush ruleset\n#/64", "::%/0"])
def test_a_zone_is_refused_and_comes_into_no_script_either(text: str) -> None:
    with pytest.raises(ValueError, match="names a zone"):
        network6(text)
    with pytest.raises(ValueError, match="names a zone"):
        list(groups._made("inet t", "in", {"in.x": [Rule(True, ANY, (), (text,))]}))

"""Where a region lies: countries by ISO 3166-1, their names, and a flag for each."""

import pytest
from django.db import IntegrityError, transaction

from tests.support.running_shop import ROOT
from vmart.catalog import countries
from vmart.catalog.models import Region

FLAGS = ROOT / "src/vmart/static_built/vendor/flags"


def test_countries_are_those_of_the_standard() -> None:
    codes = countries.codes()
    assert len(codes) == 249  # ISO 3166-1, as of 2026
    assert {"CN", "HK", "TW", "DE", "GB", "NO", "SG", "US", "AQ", "SS", "BL", "CW"} <= codes
    assert not codes & {"EU", "UN", "XK", "UK", "ZZ", "AC", "cn", "001"}


def test_each_has_a_flag() -> None:
    """``static`` of a file that is not there would be an error of the whole page."""
    assert not [code for code in countries.codes() if not (FLAGS / f"{code.lower()}.svg").is_file()]


HOSTILE = ("<script", " onload", "javascript:", 'href="http', "<foreignobject")


def test_a_flag_has_no_script_and_leads_nowhere() -> None:
    for file in FLAGS.iterdir():
        text = file.read_text().lower()
        assert "<svg" in text
        assert not [word for word in HOSTILE if word in text]


def test_they_are_named_in_the_readers_language_and_in_order() -> None:
    english, chinese = countries.names("en"), countries.names("zh-hans")
    assert (dict(english)["DE"], dict(chinese)["DE"]) == ("Germany", "德国")
    assert {code for code, _name in english} == {code for code, _name in chinese} == countries.codes()
    assert [name for _code, name in english] == sorted(name for _code, name in english)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("wrong", ["cn", "C", "C1", "C ", "\n"])
def test_the_database_takes_no_other_code(wrong: str) -> None:
    with pytest.raises(IntegrityError, match="catalog_region_country_code"), transaction.atomic():
        Region.objects.update(country=wrong)

"""Given a region whose country the catalog says, when its name is shown, then its flag stands beside it."""

import re

import pytest
from django.http import HttpResponse

from tests.support.actors import by
from tests.web.visiting import Visitor, customer
from vmart.catalog import shop as catalog
from vmart.catalog.models import Region
from vmart.security import change

FLAG = r'<img class="flag" src="/static/vendor/flags/(\w\w)[^"]*\.svg" width="20" height="15" alt="">([^<]+)<'


def _flags(page: HttpResponse) -> list[tuple[str, str]]:
    return re.findall(FLAG, page.content.decode())


@pytest.fixture
def apart() -> None:
    """Guangzhou lies in China, Shanghai's country is not said."""
    Region.objects.filter(code="ap-shanghai").update(country="")
    catalog.refresh()


GUANGZHOU, SHANGHAI = ("cn", "South China (Guangzhou)"), ("cn", "East China (Shanghai)")


def test_the_purchase_page_shows_it() -> None:
    assert _flags(Visitor().get("/buy/")) == [GUANGZHOU, SHANGHAI]


@pytest.mark.usefixtures("apart")
def test_without_a_country_there_is_none() -> None:
    page = Visitor().get("/buy/")
    assert _flags(page) == [GUANGZHOU]
    assert "East China (Shanghai)" in page.content.decode()


def test_lists_and_pages_of_things_of_a_region_show_it_and_files_do_not() -> None:
    visitor = customer()
    visitor.post("/networks/", {"act": "create_vpc", "name": "net", "region": "ap-shanghai", "cidr": "10.0.0.0/16"})
    assert _flags(visitor.get("/networks/")) == [SHANGHAI]
    group = change.create(by(visitor.account_id), "ap-guangzhou", "web", "").public_id
    assert GUANGZHOU in _flags(visitor.get("/security-groups/"))
    assert GUANGZHOU in _flags(visitor.get(f"/security-groups/{group}/"))
    told = b"".join(visitor.get("/security-groups/?as=csv").streaming_content).decode()
    assert "ap-guangzhou" in told
    assert "<img" not in told

"""Given a user's lists, when he keeps a filter or chooses columns, then they are his alone, and few."""

import re

import pytest
from django.urls import reverse

from tests.support.statements import statements
from tests.support.written import nothing_written
from tests.web.membership import member_of
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.customers import kept_lists
from vmart.customers.models import KeptColumns, KeptFilter
from vmart.web.kept import LISTS


@pytest.fixture
def visitor() -> Visitor:
    """With two machines."""
    visitor = customer(gift_minor=1_000_000)
    visitor.buy("?charge=postpaid&count=2&name=web")
    work()
    return visitor


def keep(visitor: Visitor, name: str, query: str = "q=web", of: str = "machines") -> str:
    """Where it leads."""
    answer = visitor.post("/lists/filters/keep/", {"list": of, "name": name, "query": query, "next": f"/{of}/?{query}"})
    return str(answer["Location"])


def heads(page: str) -> list[str]:
    return [re.sub("<[^>]+>", "", head) for head in re.findall(r"<th scope=[^>]*>(.*?)</th>", page)]


def test_a_filter_is_kept_found_again_and_removed(visitor: Visitor) -> None:
    page = visitor.get("/machines/?q=web&state=RUNNING&order=-name").content.decode()
    assert 'id="keep-filter"' in page
    query = re.search(r'name="query" value="([^"]*)"', page)
    assert query
    assert keep(visitor, " web servers ", query[1].replace("&amp;", "&")).startswith("/machines/?q=web")
    (kept,) = KeptFilter.objects.all()
    assert (kept.name, kept.list_name, kept.query) == (
        "web servers", "machines", {"q": "web", "state": "RUNNING", "order": "-name"},
    )  # fmt: skip
    page = visitor.get("/machines/").content.decode()
    assert '<a href="?q=web&amp;state=RUNNING&amp;order=-name">web servers</a>' in page
    page = visitor.get("/machines/?q=web&state=RUNNING&order=-name").content.decode()
    assert 'aria-current="true">web servers</a>' in page
    assert 'id="keep-filter"' not in page  # it is kept already
    assert "web servers" not in visitor.get("/disks/").content.decode()
    answer = visitor.post(reverse("list_filter_remove", args=[kept.id]), {"next": "/machines/"})
    assert (answer["Location"], KeptFilter.objects.count()) == ("/machines/", 0)


def test_one_of_the_same_name_is_another_from_then_on(visitor: Visitor) -> None:
    keep(visitor, "mine", "q=web")
    keep(visitor, "mine", "q=db")
    assert [kept.query for kept in KeptFilter.objects.all()] == [{"q": "db"}]


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("", "q=web", "The name of a filter has 1 to 60 characters on one line."),
        ("a" * 61, "q=web", "The name of a filter has 1 to 60 characters on one line."),
        ("a\nb", "q=web", "The name of a filter has 1 to 60 characters on one line."),
        ("mine", "", "Narrow the list first; then keep how it is narrowed."),
        ("mine", "zone=nowhere&next=//evil&before=9&order=password", "Narrow the list first"),
    ],
)
def test_what_is_no_filter_is_refused(visitor: Visitor, name: str, query: str, said: str) -> None:
    keep(visitor, name, query)
    assert KeptFilter.objects.count() == 0
    assert said in text_of(visitor.get("/machines/"))


def test_there_are_twenty_of_a_list(visitor: Visitor) -> None:
    for number in range(20):
        keep(visitor, f"filter {number}")
    keep(visitor, "one too many")
    assert (KeptFilter.objects.count(), KeptFilter.objects.filter(name="one too many").count()) == (20, 0)
    assert "You keep 20 filters of this list already; remove one first." in text_of(visitor.get("/machines/"))
    keep(visitor, "filter 3", "q=db")
    assert KeptFilter.objects.get(name="filter 3").query == {"q": "db"}
    keep(visitor, "of another list", of="disks")
    assert KeptFilter.objects.count() == 21


def test_it_is_the_users_own_and_of_one_account(visitor: Visitor) -> None:
    """Neither another member, nor another account of the same user's, sees or removes it."""
    keep(visitor, "mine")
    (kept,) = KeptFilter.objects.all()
    member = member_of(visitor.account_id, "owner")
    assert "mine</a>" not in member.get("/machines/").content.decode()
    for other in (member, customer()):
        with nothing_written():
            assert other.post(reverse("list_filter_remove", args=[kept.id])).status_code == 404
    keep(member, "mine too")
    own = kept_lists.of(member.user.pk, visitor.account_id, "machines")
    assert [one.name for one in own.filters] == ["mine too"]
    assert kept_lists.of(member.user.pk, visitor.account_id + 1, "machines").filters == []
    viewer = member_of(visitor.account_id, "viewer")  # who may look may keep how he looks
    keep(viewer, "a viewer's")
    assert "a viewer&#x27;s</a>" in viewer.get("/machines/").content.decode()


def test_script_in_a_name_is_text(visitor: Visitor) -> None:
    keep(visitor, "<script>alert(1)</script>", "q=<script>x</script>")
    page = visitor.get("/machines/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_no_other_place_is_led_to(visitor: Visitor) -> None:
    form = {"list": "machines", "name": "a", "query": "q=web", "next": "//evil.example/"}
    assert visitor.post("/lists/filters/keep/", form)["Location"] == "/machines/"


def test_columns_are_chosen_and_given_back(visitor: Visitor) -> None:
    usual = heads(visitor.get("/machines/").content.decode())
    assert usual == ["Machine", "State", "Addresses", "Zone", "Type", "Bought", "Billing", "Actions"]
    form = {"list": "machines", "next": "/machines/?q=web"}
    answer = visitor.post("/lists/columns/", form | {"column": ["state", "host_name", "nothing", "vcpu"]})
    assert answer["Location"] == "/machines/?q=web"
    page = visitor.get("/machines/").content.decode()
    assert heads(page) == ["Machine", "State", "vCPU", "Host name", "Actions"]
    assert 'value="vcpu" checked' in page
    assert 'value="zone" checked' not in page
    file = b"".join(visitor.get("/machines/?as=csv").streaming_content)  # type: ignore[attr-defined]
    assert b"zone" in file.splitlines()[0]  # a file has them all
    visitor.post("/lists/columns/", form)  # none: what names the row, and its acts
    assert heads(visitor.get("/machines/").content.decode()) == ["Machine", "Actions"]
    visitor.post("/lists/columns/", form | {"usual": "1"})
    assert (heads(visitor.get("/machines/").content.decode()), KeptColumns.objects.count()) == (usual, 0)


def test_columns_are_the_users_in_all_of_his_accounts(visitor: Visitor) -> None:
    member = member_of(visitor.account_id, "viewer")
    member.post("/lists/columns/", {"list": "machines", "column": "state"})
    assert heads(member.get("/machines/").content.decode()) == ["Machine", "State"]  # a viewer is offered no act
    assert "Zone" in heads(visitor.get("/machines/").content.decode())
    own = next(place.account_id for place in member.user.member_set.all() if place.account_id != visitor.account_id)
    assert kept_lists.of(member.user.pk, own, "machines").columns == ["state"]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_with_filters_keeps_both(visitor: Visitor, name: str) -> None:
    table = LISTS[name]()
    assert table.filters
    query = f"{table.filters[0].key}=nothing"
    keep(visitor, "kept", query, of=name)
    page = visitor.get(reverse(name), {table.filters[0].key: "nothing"}).content.decode()
    assert 'aria-current="true">kept</a>' in page
    for column in table.choosable:
        assert f'name="column" value="{column.key}"' in page


@pytest.mark.parametrize("name", ["", "nothing", "members", "\0", "<b>"])
def test_no_such_list_is_not_found(visitor: Visitor, name: str) -> None:
    with nothing_written():
        for address in ("/lists/filters/keep/", "/lists/columns/"):
            assert visitor.post(address, {"list": name, "name": "a", "query": "q=a"}).status_code == 404


def test_what_is_kept_is_read_in_one_statement(visitor: Visitor) -> None:
    keep(visitor, "mine")
    with statements() as asked:
        kept_lists.of(visitor.user.pk, visitor.account_id, "machines")
    assert len(asked) == 1

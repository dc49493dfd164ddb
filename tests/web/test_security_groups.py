"""Given a customer whose machines must not be open to all, then the pages make groups and rules, and say what holds."""

import re
from typing import Any

import pytest
from django.http import HttpResponse

from tests.support.actors import by
from tests.support.shopper import work
from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, form_of, text_of
from vmart.catalog.models import Zone
from vmart.engines.rules import TCP, Packet
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance, State
from vmart.launch_templates.models import Version
from vmart.orders.models import Order
from vmart.pages.messages import read
from vmart.security import change, held, starting
from vmart.security.models import SecurityGroup

REGION = "ap-guangzhou"
NEW = {"name": "web", "description": "of the shop", "region": REGION, "starting": "web"}
RULE = {"act": "add", "way": "ingress", "place": "first", "action": "ACCEPT", "protocol": "TCP", "port": "5432",
        "cidr": "10.0.0.0/8", "group": "", "description": "databases"}  # fmt: skip
IN_FORCE = "Done. It holds for new connections within seconds; those that are open go on until they end."
CLOSED = "SSH is closed: the rules let nobody in by TCP port 22, so nobody can log in over the network."
SOME = "SSH is let in only from the networks and groups that the rules name."
NO_FILTER = "The host's kernel keeps traffic within a bridge from its packet filter, so no security group holds."
FAR = "198.51.100.9"


def _made(visitor: Visitor, **typed: str) -> str:
    answer = visitor.post("/security-groups/", NEW | typed)
    public_id = SecurityGroup.objects.latest("id").public_id
    assert (answer.status_code, answer["Location"]) == (302, f"/security-groups/{public_id}/")
    return public_id


def _page(group: str, *more: object) -> str:
    return f"/security-groups/{group}/" + "".join(f"{part}/" for part in more)


def _rules(group: str, way: str = "ingress") -> list[tuple[str, ...]]:
    rules = getattr(SecurityGroup.objects.get(public_id=group), way)
    return [(rule["action"], rule["protocol"], rule["port"], rule["cidr"] or rule["group"]) for rule in rules]


def _act(visitor: Visitor, group: str, act: str, index: int, version: int | None = None) -> str:
    """One of the buttons of a rule that lets in; what the page says then."""
    version = SecurityGroup.objects.get(public_id=group).version if version is None else version
    form = {"act": act, "way": "ingress", "index": str(index), "version": str(version)}
    return text_of(visitor.post(_page(group, "rules"), form, follow=True))


def _boxes(page: HttpResponse) -> list[tuple[str, bool]]:
    """Each group that can be ticked, and whether it is."""
    found = re.findall(r'name="security_group" id="security_group-[^"]+" value="([^"]+)"( checked)?', _html(page))
    return [(public_id, bool(ticked)) for public_id, ticked in found]


def _html(page: HttpResponse) -> str:
    return page.content.decode()


def _none_hold(**seen: Any) -> None:
    Zone.objects.filter(code=ZONE).update(capabilities={"security_groups": False, **seen})


SSH, WEB, PING = ("ACCEPT", "TCP", "22", "0.0.0.0/0"), ("ACCEPT", "TCP", "80,443", "0.0.0.0/0"), (
    "ACCEPT", "ICMP", "ALL", "0.0.0.0/0",
)  # fmt: skip
OF_IPV6 = [("ACCEPT", "TCP", "22", "::/0"), ("ACCEPT", "TCP", "80,443", "::/0"), ("ACCEPT", "ICMPV6", "ALL", "::/0")]
EVERYTHING = [("ACCEPT", "ALL", "ALL", "0.0.0.0/0"), ("ACCEPT", "ALL", "ALL", "::/0")]
DATABASES = ("ACCEPT", "TCP", "5432", "10.0.0.0/8")


@pytest.mark.parametrize(
    ("name", "ingress", "egress", "said"),
    [
        ("web", [SSH, WEB, PING, *OF_IPV6], EVERYTHING, ""),
        ("open", EVERYTHING, EVERYTHING, ""),
        ("empty", [], [], CLOSED),
    ],
)
def test_a_group_begins_with_the_rules_that_were_chosen(
    name: str, ingress: list[tuple[str, ...]], egress: list[tuple[str, ...]], said: str
) -> None:
    visitor = customer()
    group = _made(visitor, starting=name)
    assert (_rules(group), _rules(group, "egress")) == (ingress, egress)
    page = text_of(visitor.get(_page(group)))
    assert [sentence in page for sentence in (CLOSED, SOME)] == [bool(said), False]
    assert ("No rule: nothing is let in." in page) is (name == "empty")


def test_the_list_has_the_default_group_first_and_says_how_many_rules_and_machines_each_has() -> None:
    visitor = customer()
    default = held.default_id(visitor.account_id)
    shown = text_of(visitor.get("/security-groups/"))
    assert f"default Default {default} All traffic is let in and out. All regions 2 2 0" in shown
    group = _made(visitor)
    visitor.buy(f"?security_group={group}")
    visitor.buy()
    shown = text_of(visitor.get("/security-groups/"))
    assert f"web {group} of the shop South China (Guangzhou) 6 2 1" in shown
    assert "All regions 2 2 1" in shown
    assert shown.index(default) < shown.index(group)
    narrowed = text_of(visitor.get("/security-groups/?q=WEB"))
    assert (group in narrowed, default in narrowed) == (True, False)


def test_the_list_goes_on_behind_fifty() -> None:
    visitor = customer()
    groups = [
        change.create(by(visitor.account_id), region, f"n{number}", "").public_id
        for region in (REGION, "ap-shanghai")
        for number in range(26)
    ]
    first = _html(visitor.get("/security-groups/"))
    assert [group in first for group in groups] == [False] * 3 + [True] * 49
    older = re.search(r'href="(\?before=\d+)" rel="next"', first)
    assert older
    second = _html(visitor.get(f"/security-groups/{older[1]}"))
    assert [group in second for group in groups] == [True] * 3 + [False] * 49
    assert held.default_id(visitor.account_id) not in second


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "The name of a security group has 1 to 60 characters on one line."),
        ({"description": "x" * 101}, "The description of a security group has at most 100 characters on one line."),
        ({"region": "nowhere"}, "There is no region nowhere."),
        ({"starting": "half"}, "A group cannot begin with half; possible are web, open, empty."),
        ({"name": "\0"}, "Null characters are not allowed."),
    ],
)
def test_a_group_that_cannot_be_is_refused_beside_its_field(typed: dict[str, str], said: str) -> None:
    visitor, (name,) = customer(), typed
    with nothing_written():
        answer = visitor.post("/security-groups/", NEW | typed)
    assert answer.status_code == 422
    beside = re.search(rf'id="{name}_error"><p class="field-error" role="alert">([^<]*)</p>', _html(answer))
    assert beside and beside[1] == said


def test_a_group_is_renamed_and_deleted_unless_something_uses_it() -> None:
    visitor = customer()
    group = _made(visitor)
    said = visitor.post(_page(group), {"act": "change", "name": "front", "description": ""}, follow=True)
    assert "The security group was changed." in text_of(said)
    assert SecurityGroup.objects.values_list("name", "description").get() == ("front", "")
    with nothing_written():
        refused = visitor.post(_page(group), {"act": "change", "name": ""})
    assert (refused.status_code, "has 1 to 60 characters" in text_of(refused)) == (422, True)
    visitor.buy(f"?security_group={group}")
    machine = Instance.objects.get().public_id
    with nothing_written():
        visitor.post(_page(group, "delete"))
    said = text_of(visitor.get(_page(group)))
    assert f"The security group {group} is in use by {machine}; take it off there first." in said
    visitor.post(f"/machines/{machine}/security-groups/", {"security_group": held.default_id(visitor.account_id)})
    assert visitor.post(_page(group, "delete"))["Location"] == "/security-groups/"
    assert list(SecurityGroup.objects.all()) == []
    assert visitor.get(_page(group)).status_code == visitor.post(_page(group, "delete")).status_code == 404


def test_the_default_group_gets_rules_and_is_never_deleted() -> None:
    visitor = customer()
    default = held.default_id(visitor.account_id)
    page = _html(visitor.get(_page(default)))
    assert ("All regions" in page, _page(default, "delete") in page) == (True, False)
    visitor.post(_page(default), RULE | {"action": "DROP", "port": "22", "cidr": "0.0.0.0/0", "version": "0"})
    assert _rules(default) == [("DROP", "TCP", "22", "0.0.0.0/0"), *EVERYTHING]
    assert SOME in text_of(visitor.get(_page(default)))  # by IPv6
    with nothing_written():
        visitor.post(_page(default, "delete"))
    assert "The default security group cannot be deleted." in text_of(visitor.get(_page(default)))


def test_rules_are_added_first_or_last_moved_changed_and_removed() -> None:
    visitor = customer()
    group = _made(visitor)
    assert IN_FORCE in text_of(visitor.post(_page(group), RULE | {"version": "0"}, follow=True))
    assert _rules(group) == [DATABASES, SSH, WEB, PING, *OF_IPV6]
    other = RULE | {"place": "last", "protocol": "UDP", "port": "53", "version": "1"}
    visitor.post(_page(group), other | {"way": "egress", "cidr": "203.0.113.9"})
    assert _rules(group, "egress") == [*EVERYTHING, ("ACCEPT", "UDP", "53", "203.0.113.9/32")]
    shown = text_of(visitor.get(_page(group)))
    assert "1 Accept TCP 5432 10.0.0.0/8 databases" in shown
    assert "3 Accept UDP 53 203.0.113.9/32 databases" in shown
    assert IN_FORCE in _act(visitor, group, "down", 0)
    assert _rules(group) == [SSH, DATABASES, WEB, PING, *OF_IPV6]
    _act(visitor, group, "up", 3)
    assert _rules(group) == [SSH, DATABASES, PING, WEB, *OF_IPV6]
    assert IN_FORCE in _act(visitor, group, "remove", 2)
    assert _rules(group) == [SSH, DATABASES, WEB, *OF_IPV6]
    address = _page(group, "ingress", 0)
    form = visitor.get(address)
    assert re.search(r'name="port" value="22"', _html(form))
    changed = {"action": "DROP", "protocol": "tcp", "port": "22", "cidr": " 203.0.113.0/24 ", "version": "5"}
    assert visitor.post(address, changed)["Location"] == _page(group)
    assert _rules(group) == [("DROP", "TCP", "22", "203.0.113.0/24"), DATABASES, WEB, *OF_IPV6]
    assert visitor.get(_page(group, "ingress", 6)).status_code == 404


def test_what_was_changed_meanwhile_is_not_overwritten() -> None:
    """Two windows show a group of version 0; what the first does shifts the rules under the second."""
    visitor = customer()
    group = _made(visitor)
    assert IN_FORCE in _act(visitor, group, "remove", 0, version=0)
    stale = f"The rules of {group} are of version 1 by now; read them again."
    with nothing_written():
        told = [_act(visitor, group, act, 0, version=0) for act in ("remove", "down")]
        added = visitor.post(_page(group), RULE | {"version": "0"})
        edited = visitor.post(_page(group, "ingress", 0), RULE | {"version": "0"})
    assert [stale in page for page in (*told, text_of(added), text_of(edited))] == [True] * 4
    assert (added.status_code, edited.status_code) == (422, 422)
    assert 'name="version" value="1"' in _html(added)  # sent again it is meant for what stands there now
    assert _rules(group) == [WEB, PING, *OF_IPV6]


def test_a_rule_at_the_end_of_the_list_moves_no_further_and_one_that_is_none_is_said() -> None:
    visitor = customer()
    group = _made(visitor)
    with nothing_written():
        down = _act(visitor, group, "down", 5)
        gone = _act(visitor, group, "remove", 7)
        up = _act(visitor, group, "up", 0)
        wrong = [
            visitor.post(_page(group, "rules"), form).status_code
            for form in ({"act": "remove"}, {"way": "in", "index": "0"}, {"way": "egress", "index": "-1"})
        ]
    assert "There is no rule 6: this direction has 6, counted from 0." in down
    assert "There is no rule 7: this direction has 6, counted from 0." in gone
    assert "There is no rule -1: this direction has 6, counted from 0." in up
    assert wrong == [404, 404, 404]


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"action": "ALLOW"}, "action", "The action is ALLOW; possible are ACCEPT and DROP."),
        ({"protocol": "GRE"}, "protocol", "The protocol is GRE; possible are ALL, TCP, UDP, ICMP, ICMPV6."),
        ({"protocol": "ICMP"}, "port", "A rule of ICMP has no port: leave it away, or say ALL."),
        ({"port": "90-80"}, "port",
         "The port is 90-80; possible are ALL, a port from 1 to 65535, a range such as 8000-9000, or at most 20 of "
         "them with commas between."),
        ({"cidr": ""}, "cidr", "A rule names a network or a security group as the other end, and not both."),
        ({"cidr": "::/129"}, "cidr",
         "::/129 is no address and no network, such as 203.0.113.0/24 and 2001:db8::/32 are."),
        ({"protocol": "ICMP", "port": "", "cidr": "::/0"}, "protocol",
         "A rule of ICMP names a network of IPv4; ::/0 is none."),
        ({"cidr": "", "group": "sg-unknown0"}, "group", "The security group sg-unknown0 does not exist here."),
        ({"description": "x" * 101}, "description",
         "The description of a rule has at most 100 characters on one line."),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_beside_its_field(typed: dict[str, str], field: str, said: str) -> None:
    visitor = customer()
    group = _made(visitor)
    for way, address in (("ingress", _page(group)), ("egress", _page(group)), ("", _page(group, "ingress", 0))):
        with nothing_written():
            answer = visitor.post(address, RULE | typed | {"way": way})
        beside = re.search(rf'id="{field}_error"><p class="field-error" role="alert">([^<]*)</p>', _html(answer))
        assert answer.status_code == 422 and beside
        assert beside[1].replace("&#x27;", "'") == said


def test_too_many_rules_are_said_of_their_direction() -> None:
    visitor = customer()
    group = _made(visitor)
    rules = SecurityGroup.objects.get().ingress * 40
    SecurityGroup.objects.update(ingress=rules[:100])
    with nothing_written():
        answer = visitor.post(_page(group), RULE)
    assert 'id="way_error"><p class="field-error" role="alert">A security group has at most 100 rules' in _html(answer)


def test_a_rule_may_name_a_group_whose_name_leads_to_it() -> None:
    visitor = customer()
    front, back = _made(visitor, name="front"), _made(visitor, name="back", starting="empty")
    visitor.post(_page(back), RULE | {"cidr": "", "group": front, "port": "22"})
    assert _rules(back) == [("ACCEPT", "TCP", "22", front)]
    page = visitor.get(_page(back))
    assert f'<a href="{_page(front)}">front</a>' in _html(page)
    assert (SOME in text_of(page), CLOSED in text_of(page)) == (True, False)
    with nothing_written():
        visitor.post(_page(front, "delete"))
    assert f"The security group {front} is in use by {back}; take it off there first." in text_of(
        visitor.get(_page(front))
    )


def test_a_groups_page_lists_its_machines_with_links_and_not_those_that_were_never_delivered(world: World) -> None:
    visitor = customer()
    group = _made(visitor)
    assert "No machine is in it." in text_of(visitor.get(_page(group)))
    visitor.buy(f"?security_group={group}&name=one")
    work()
    world.fail("ensure_present", times=1, transient=False, sentence="The host refused.")
    visitor.buy(f"?security_group={group}&name=other")
    visitor.buy("?name=third")
    work()
    (one,) = Instance.objects.filter(name="one")
    (failed,) = Instance.objects.filter(state=State.LAUNCH_FAILED)
    page = _html(visitor.get(_page(group))).partition('id="machines"')[2]
    assert re.findall(r'href="/machines/(ins-\w+)/"', page) == [one.public_id]
    assert "Security groups" in text_of(visitor.get(f"/machines/{failed.public_id}/"))
    assert f"/machines/{failed.public_id}/security-groups/" not in _html(visitor.get(f"/machines/{failed.public_id}/"))
    with nothing_written():
        refused = visitor.post(f"/machines/{failed.public_id}/security-groups/", {"security_group": group})
    assert f"The instance {failed.public_id} was never delivered." in text_of(refused)


def test_the_purchase_page_has_the_default_group_ticked_and_buys_into_those_that_are(world: World) -> None:
    visitor = customer()
    default = held.default_id(visitor.account_id)
    assert _boxes(visitor.get("/buy/", follow=True)) == [(default, True)]
    visitor.buy()
    assert Instance.objects.get().security_groups == []  # the default one
    web, other = _made(visitor), _made(visitor, name="other", starting="empty")
    _made(visitor, name="far", region="ap-shanghai")
    assert _boxes(visitor.get("/buy/", follow=True)) == [(default, True), (other, False), (web, False)]
    form = visitor.buy_form() | {"act": "buy", "security_group": [other, web]}
    assert visitor.post("/buy/", form).status_code == 303
    work()
    machine = Instance.objects.latest("id")
    assert machine.security_groups == [other, web]
    lets = [world.lets_in(machine.public_id, Packet(TCP, FAR, port)) for port in (22, 443, 5432)]
    assert lets == [True, True, False]


def test_groups_stay_in_the_order_in_which_they_were_chosen() -> None:
    visitor = customer()
    default, web, other = held.default_id(visitor.account_id), _made(visitor), _made(visitor, name="other")
    page = visitor.get(f"/buy/?security_group={web}&security_group={other}", follow=True)
    assert _boxes(page) == [(web, True), (other, True), (default, False)]
    visitor.post("/buy/", form_of(page) | {"act": "buy"})
    assert Instance.objects.get().security_groups == [web, other]


def test_a_group_that_is_not_there_is_said_at_once_and_never_becomes_the_open_one() -> None:
    visitor = customer()
    far = _made(visitor, name="far", region="ap-shanghai")
    for named in (far, _made(customer()), "sg-00000000"):
        page = visitor.get(f"/buy/?security_group={named}", follow=True)
        assert f"The security group {named} does not exist here." in text_of(page)
        assert _boxes(page) == [(named, True), (held.default_id(visitor.account_id), False)]
        with nothing_written():
            refused = visitor.post("/buy/", form_of(page) | {"act": "buy"})
        assert refused.status_code == 409
    gone = _made(visitor)
    form = visitor.buy_form(f"?security_group={gone}") | {"act": "buy"}
    visitor.post(_page(gone, "delete"))
    with nothing_written():
        refused = visitor.post("/buy/", form)
    assert (refused.status_code, '<a href="#security_group">' in _html(refused)) == (409, True)
    assert not Order.objects.exists()


def test_more_than_five_groups_are_refused() -> None:
    visitor = customer()
    groups = [_made(visitor, name=f"n{number}") for number in range(6)]
    form = visitor.buy_form() | {"act": "buy", "security_group": groups}
    with nothing_written():
        refused = visitor.post("/buy/", form)
    assert (refused.status_code, "A machine is in at most 5 security groups." in text_of(refused)) == (409, True)
    assert visitor.post("/buy/", form | {"security_group": groups[:5]}).status_code == 303


@pytest.mark.parametrize(
    ("seen", "said"), [({"missing": {"security_groups": NO_FILTER}}, NO_FILTER), ({}, "No security group holds here.")]
)
def test_a_zone_that_enforces_none_says_so_everywhere_and_sells_none(seen: dict[str, Any], said: str) -> None:
    visitor = customer()
    group = _made(visitor, starting="empty")
    _none_hold(**seen)
    page = visitor.get("/buy/", follow=True)
    told = said.replace("'", "&#x27;")
    assert (told in _html(page), _boxes(page)) == (True, [])
    update = visitor.get(f"/buy/price/?security_group={group}")
    assert f"Security groups do not hold in {ZONE}: leave them away." in text_of(update)
    assert (CLOSED in text_of(update), (group, True) in _boxes(update)) == (False, True)
    with nothing_written():
        refused = visitor.post("/buy/", visitor.buy_form(f"?security_group={group}") | {"act": "buy"})
    assert refused.status_code == 409
    visitor.buy()
    work()
    machine = Instance.objects.get().public_id
    assert told in _html(visitor.get(f"/machines/{machine}/"))
    assert told in _html(visitor.get(f"/machines/{machine}/security-groups/"))
    assert f"Guangzhou Zone 3: {told}" in _html(visitor.get(_page(group)))
    assert told not in _html(visitor.get(_page(_made(visitor, region="ap-shanghai"))))
    with nothing_written():
        refused = visitor.post(f"/machines/{machine}/security-groups/", {"security_group": group})
    assert (refused.status_code, f"do not hold in {ZONE}: leave them away." in text_of(refused)) == (422, True)


def test_the_purchase_page_warns_where_nobody_could_log_in() -> None:
    visitor = customer()
    empty, office, web = _made(visitor, starting="empty"), _made(visitor, starting="empty"), _made(visitor)
    visitor.post(_page(office), RULE | {"port": "22", "cidr": "203.0.113.0/24"})
    default = held.default_id(visitor.account_id)
    chosen: list[tuple[list[str], str]] = [
        ([], ""), ([web], ""), ([empty], CLOSED), ([office], SOME), ([empty, web], ""), ([empty, office], SOME),
        ([empty, default], ""),
    ]  # fmt: skip
    for groups, said in chosen:
        query = {"security_group": groups}
        for page in (visitor.get("/buy/", query, follow=True), visitor.get("/buy/price/", query)):
            assert [sentence for sentence in (CLOSED, SOME) if sentence in text_of(page)] == ([said] if said else [])
    assert CLOSED not in text_of(Visitor().get("/buy/", {"security_group": [empty]}, follow=True))


def test_a_machines_page_names_its_groups_with_links_and_warns_where_ssh_is_closed() -> None:
    visitor = customer()
    default, group = held.default_id(visitor.account_id), _made(visitor, starting="empty")
    visitor.buy()
    work()
    address = f"/machines/{Instance.objects.get().public_id}/"
    page = _html(visitor.get(address))
    assert f'<a href="{_page(default)}">default</a> <a class="id" href="{address}security-groups/">' in page
    assert CLOSED not in page
    form = visitor.get(f"{address}security-groups/")
    assert _boxes(form) == [(default, True), (group, False)]
    said = visitor.post(f"{address}security-groups/", {"security_group": [group]}, follow=True)
    assert (IN_FORCE in text_of(said), CLOSED in text_of(said)) == (True, True)
    assert f'<a href="{_page(group)}">web</a>' in _html(said)
    assert CLOSED in text_of(visitor.get(f"{address}live/"))
    assert Instance.objects.get().security_groups == [group]
    visitor.post(f"{address}security-groups/", {"security_group": [group, default]})
    assert Instance.objects.get().security_groups == [group, default]
    assert _boxes(visitor.get(f"{address}security-groups/")) == [(group, True), (default, True)]
    assert CLOSED not in text_of(visitor.get(address))


def test_a_machine_is_in_some_group_of_its_owners() -> None:
    visitor = customer()
    visitor.buy()
    address = f"/machines/{Instance.objects.get().public_id}/security-groups/"
    with nothing_written():
        none = visitor.post(address)
        unknown = visitor.post(address, {"security_group": "sg-00000000"})
    assert (none.status_code, "Choose a security group." in text_of(none)) == (422, True)
    assert (unknown.status_code, "The security group sg-00000000 does not exist here." in text_of(unknown)) == (
        422,
        True,
    )
    assert _boxes(unknown) == [("sg-00000000", True), (held.default_id(visitor.account_id), False)]


def test_a_change_reaches_the_engine(world: World) -> None:
    visitor = customer()
    group = _made(visitor)
    visitor.buy(f"?security_group={group}")
    work()
    machine = Instance.objects.get().public_id
    assert world.lets_in(machine, Packet(TCP, FAR, 22))
    _act(visitor, group, "remove", 0)
    work()
    assert not world.lets_in(machine, Packet(TCP, FAR, 22))
    visitor.post(f"/machines/{machine}/security-groups/", {"security_group": held.default_id(visitor.account_id)})
    work()
    assert world.lets_in(machine, Packet(TCP, FAR, 22))


def test_a_template_keeps_the_groups_and_the_page_begins_with_them() -> None:
    visitor = customer()
    group = _made(visitor)
    form = visitor.buy_form(f"?security_group={group}") | {"act": "save_template", "template_name": "guarded"}
    address = visitor.post("/buy/", form)["Location"]
    assert Version.objects.get().contents["attributes.security_groups"] == [group]
    page = visitor.get(address)
    assert f"Security groups {group}" in text_of(page)
    begun = re.search(r'href="/buy/(\?[^"]*)"', _html(page))
    assert begun
    shown = visitor.get("/buy/" + begun[1].replace("&amp;", "&"), follow=True)
    assert (group, True) in _boxes(shown)
    assert f"Security groups: {group}" not in text_of(shown)  # among what has no field there


def test_the_pages_speak_chinese() -> None:
    visitor = customer(HTTP_ACCEPT_LANGUAGE="zh-hans")
    group = _made(visitor, starting="empty")
    page = text_of(visitor.get(_page(group)))
    assert "SSH 已关闭：规则不允许任何人访问 TCP 22 端口，因此无法通过网络登录。" in page
    assert "没有规则：拒绝所有入站流量。" in page
    assert "所有流量均可出入。" in text_of(visitor.get("/security-groups/"))
    assert read().get(NO_FILTER).string == "主机内核不让网桥内的流量经过包过滤，因此安全组不生效。"
    assert starting.RULES.keys() == {"web", "open", "empty"}

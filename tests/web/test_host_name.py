"""A customer gives a machine another host name, on its page."""

from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.visiting import customer, text_of, work
from vmart.instances.models import Instance


def test_another_host_name_is_shown_when_the_machine_goes_by_it() -> None:
    visitor = customer()
    visitor.buy("?charge=postpaid")
    work()
    machine = Instance.objects.get()
    page, address = reverse("machine", args=[machine.public_id]), reverse("machine_host_name", args=[machine.public_id])
    assert f'href="{address}"' in visitor.get(page).content.decode()
    assert f'value="{machine.public_id}"' in visitor.get(address).content.decode()  # as it is
    assert visitor.post(address, {"hostname": "web-2"})["Location"] == page
    assert "Its host name is being changed." in text_of(visitor.get(page))
    work()
    said = visitor.get(page)
    assert (Instance.objects.get().hostname, f"{machine.public_id} → web-2" in text_of(said)) == ("web-2", True)
    with nothing_written():
        wrong = visitor.post(address, {"hostname": "a..b"})
    assert (wrong.status_code, "no two hyphens or dots side by side" in text_of(wrong)) == (422, True)
    assert 'value="a..b"' in wrong.content.decode()
    Instance.objects.update(state="SHUTDOWN")
    with nothing_written():
        assert visitor.post(address, {"hostname": "web-3"})["Location"] == page
    assert address not in visitor.get(page).content.decode()

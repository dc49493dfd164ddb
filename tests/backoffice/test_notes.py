"""Notes of customers: written and struck out by who may, kept, escaped, and never seen by the customer."""

import json

import pytest
from click.testing import CliRunner

from tests.support.actors import SELLER
from tests.support.shopper import open_purse
from tests.support.written import nothing_written, refused
from tests.web.visiting import customer, operator, text_of
from vmart.config.cli import main
from vmart.customers import notes
from vmart.customers.models import Note
from vmart.events.models import Event
from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound
from vmart.listings import notes as listed
from vmart.listings.paging import PAGE

pytestmark = pytest.mark.usefixtures("shop")
HOSTILE = "<script>alert(1)</script>\nsecond line & more"


def test_a_note_is_kept_with_who_wrote_it_and_when() -> None:
    buyer, support = customer(), operator("support")
    answer = support.post(f"/seller/customers/{buyer.account_id}/notes/", {"text": "  Calls at noon.\r\nTwice. "})
    assert (answer.status_code, answer["Location"]) == (302, f"/seller/customers/{buyer.account_id}/")
    note = Note.objects.get()
    assert (note.account_id, note.text, note.by, note.struck_at) == (
        buyer.account_id, "Calls at noon.\nTwice.", support.user.email, None,
    )  # fmt: skip
    assert note.at.isoformat() == "2026-03-10T02:00:00+00:00"
    page = text_of(operator("finance").get(f"/seller/customers/{buyer.account_id}/"))
    assert f"2026-03-10 10:00:00 Calls at noon. Twice. {support.user.email} Strike out" in page


def test_it_is_escaped() -> None:
    buyer = customer()
    notes.add(buyer.account_id, HOSTILE, SELLER)
    page = operator().get(f"/seller/customers/{buyer.account_id}/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\nsecond line &amp; more</span>" in page
    assert "<script>alert" not in page


def test_struck_out_it_stays_and_says_by_whom() -> None:
    buyer, support = customer(), operator("support")
    note = notes.add(buyer.account_id, "Pays late.", SELLER)
    address = f"/seller/customers/{buyer.account_id}/notes/{note.pk}/strike/"
    assert support.post(address).status_code == 302
    note.refresh_from_db()
    assert (note.struck_by, note.text) == (support.user.email, "Pays late.")
    page = support.get(f"/seller/customers/{buyer.account_id}/")
    assert f"Pays late. Struck out by {support.user.email} · 2026-03-10 10:00:00" in text_of(page)
    assert address not in page.content.decode()
    before = list(Note.objects.values())
    assert "It is so already." in text_of(support.post(address, follow=True))
    assert list(Note.objects.values()) == before


def test_the_customer_sees_nothing_of_it() -> None:
    buyer = customer()
    notes.add(buyer.account_id, "Secret of the house", SELLER)
    for address in ("/activity/", "/overview/", "/balance/", "/buy/"):
        assert "Secret of the house" not in buyer.get(address, follow=True).content.decode()
    assert not Event.objects.filter(account_id=buyer.account_id, actor__via="command").exists()
    with nothing_written():
        assert buyer.post(f"/seller/customers/{buyer.account_id}/notes/", {"text": "x"}).status_code == 403


def test_it_takes_the_permission() -> None:
    buyer, operations = customer(), operator("operations")
    note = notes.add(buyer.account_id, "x", SELLER)
    with nothing_written():
        for address in ("notes/", f"notes/{note.pk}/strike/"):
            assert operations.post(f"/seller/customers/{buyer.account_id}/{address}", {"text": "x"}).status_code == 403


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001, "a\x07b", "a\x00b", "\ud800"])
def test_what_is_no_text_is_refused_beside_it(text: str) -> None:
    account = open_purse()
    with refused(InvalidValue, field="text", match="A note has 1 to 2000 characters"):
        notes.add(account, text, SELLER)
    if text.isprintable() and "\ud800" not in text:
        support = operator("support")
        with nothing_written():
            page = support.post(f"/seller/customers/{account}/notes/", {"text": text})
        assert page.status_code == 422
        assert 'id="note-text_error"' in page.content.decode()


def test_of_another_customer_and_of_nobody_there_is_none() -> None:
    account, other, support = open_purse(), open_purse("other"), operator("support")
    note = notes.add(account, "x", SELLER)
    with nothing_written():
        for number, of in ((other, note.pk), (account, 999), (account, 2**63), (999_999, note.pk)):
            assert support.post(f"/seller/customers/{number}/notes/{of}/strike/").status_code == 404
        assert support.post("/seller/customers/999999/notes/", {"text": "x"}).status_code == 404
    with refused(NotFound, field="account_id"):
        notes.add(999_999, "x", SELLER)
    with refused(NotFound, field="note"):
        notes.strike(other, note.pk, SELLER)


def test_there_are_so_many_at_most_and_they_are_listed_by_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "NOTES_MAX", PAGE + 2)
    account = open_purse()
    for number in range(PAGE + 2):
        notes.add(account, f"note {number}", SELLER)
    with refused(LimitExceeded, match=f"at most {PAGE + 2} notes"):
        notes.add(account, "one more", SELLER)
    first = listed.of_account(account)
    assert [row.text for row in first.rows] == [f"note {number}" for number in range(PAGE + 1, 1, -1)]
    second = listed.of_account(account, first.older)
    assert ([row.text for row in second.rows], second.older) == (["note 1", "note 0"], "")
    page = text_of(operator().get(f"/seller/customers/{account}/?notes_before={first.older}"))
    assert "note 0" in page
    assert "note 5" not in page


def test_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmart.config.business_time.install", lambda: None)
    account = str(open_purse())

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["customer", *words])
        return done.exit_code, done.output

    code, said = run("note", account, "Calls at noon.")
    note = Note.objects.get()
    assert (code, said) == (0, f"note {note.pk}\n")
    assert run("strike-note", account, str(note.pk)) == (0, "struck out\n")
    assert run("strike-note", account, str(note.pk)) == (0, "it is so already\n")
    assert run("strike-note", account, "999") == (3, "vmart: There is no such note.\n")
    (row,) = json.loads(run("notes", account, "-o", "json")[1])
    assert (row["number"], row["text"]) == (note.pk, "Calls at noon.")
    assert row["struck_by"].startswith("command line (")
    assert run("note", account, "")[0] == 3

"""A browser without JavaScript: it follows links, keeps cookies, and sends forms as they stand on the page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests


@dataclass
class Form:
    """A form of a page: what it sends as it stands, what else may be chosen in it, and its buttons by their text."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)  # radio buttons and checkboxes, chosen or not
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def filled(self, typed: dict[str, str], button: str) -> list[tuple[str, str]]:
        """What is sent when ``button`` is pressed; AssertionError for a field or a choice that is not there."""
        known = {name for name, _ in self.fields} | self.options.keys()
        assert typed.keys() <= known, f"the form has no {sorted(typed.keys() - known)}"
        for name in typed.keys() & self.options.keys():
            assert typed[name] in self.options[name], f"{name} offers {self.options[name]}, not {typed[name]!r}"
        kept = [(name, value) for name, value in self.fields if name not in typed]
        pressed = self.buttons[button]
        return kept + list(typed.items()) + ([pressed] if pressed[0] else [])


class _Forms(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""
        self._gathers: tuple[str, dict[str, str]] | None = None
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(have.get("action", ""), have.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is None or "disabled" in have:
            return
        elif tag == "input" and have.get("name"):
            self._input(self._open, have)
        elif tag == "select":
            self._select = have["name"]
        elif tag == "option" and "selected" in have:
            self._open.fields.append((self._select, have["value"]))
        elif tag in ("textarea", "button"):
            self._gathers, self._text = (tag, have), ""

    @staticmethod
    def _input(form: Form, have: dict[str, str]) -> None:
        choice = have.get("type") in ("radio", "checkbox")
        if choice:
            form.options.setdefault(have["name"], []).append(have.get("value", "on"))
        if not choice or "checked" in have:
            form.fields.append((have["name"], have.get("value", "on" if choice else "")))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif self._gathers is not None and tag == self._gathers[0] and self._open is not None:
            have = self._gathers[1]
            if tag == "textarea":
                self._open.fields.append((have["name"], self._text))
            else:
                self._open.buttons[" ".join(self._text.split())] = have.get("name", ""), have.get("value", "")
            self._gathers = None


class PlainBrowser:
    """One window: ``open`` an address, ``press`` a button of the page; ``html`` and ``address`` are where it is."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept-Language"] = "en"
        self.html = ""
        self.address = ""

    def open(self, address: str) -> str:
        """Go to an address of the shop; its page."""
        return self._take(self._session.get(urljoin(self._url, address), timeout=30))

    def press(self, button: str, **typed: str) -> str:
        """Fill in the form that has the button of this text and press it; the page one gets to."""
        found = [form for form in _Forms(self.html).forms if button in form.buttons]
        assert len(found) == 1, f"{len(found)} forms of {self.address} have a button {button!r}"
        (form,) = found
        sent = form.filled(typed, button)
        target = urljoin(self.address, form.action)
        if form.method == "post":
            return self._take(self._session.post(target, data=sent, headers={"Referer": self.address}, timeout=30))
        return self._take(self._session.get(target, params=sent, timeout=30))

    def close(self) -> None:
        self._session.close()

    def _take(self, answer: requests.Response) -> str:
        assert answer.status_code == 200, f"{answer.url}: {answer.status_code}\n{answer.text}"
        self.html, self.address = answer.text, answer.url
        return self.html

"""The message catalogue: what a page can say, found in the source; ``python -m vmart.pages.messages`` updates it.

Found are gettext calls in Python and templates, the sentences of refusals (``Refused`` and its subclasses),
those of engines that reach the customer (why a capability is missing among them), and the titles of drivers. The
translations are in ``locale/<language>/LC_MESSAGES/django.po``; bin/setup compiles them.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).resolve().parent.parent
LANGUAGE = "zh_Hans"
PO_FILE = SOURCE / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"
_PLAIN = {"_", "gettext", "gettext_lazy", "gettext_noop"}
_PLURAL = {"ngettext", "ngettext_lazy"}
_CONTEXT = {"pgettext", "pgettext_lazy"}
_NOISE = r'"(POT?-\w+-Date|PO-Revision-Date|Report-Msgid|Last-Translator|Language-Team)'
_PROGRAMS_ONLY = ("api", "config")  # rooms whose refusals no page shows
# Calls whose sentence is stored or shown as it is: the constants among their arguments, also by name.
_SAID_BY = {
    "EngineError",
    "Unfit",
    "FetchError",
    "NoLogo",
    "Refusal",
    "ImageState",
    "Outcome",
    "_failure",
    "fail",
    "take_back",
    "_ShowAgain",
    "__init__",
    "Step",
    "Cause",
    "problem_at",
    "wrong_part",
}
_SAID_AS = {"sentence", "why", "reason", "helps"}


@dataclass(frozen=True, order=True)
class Message:
    """A msgid with its plural and context, "" where it has none, and where it was first found."""

    msgid: str
    plural: str = ""
    context: str = ""


def find() -> dict[Message, list[str]]:
    """Every message of the source and the files that say it, in order."""
    found: dict[Message, list[str]] = {}
    refusals = _refusal_names()
    for file in sorted(SOURCE.rglob("*.py")):
        shown = file.relative_to(SOURCE).parts[0] not in _PROGRAMS_ONLY
        for message in _in_python(file.read_text(), refusals if shown else set()):
            found.setdefault(message, []).append(str(file.relative_to(SOURCE)))
    for file in sorted(SOURCE.rglob("templates/**/*.html")) + sorted(SOURCE.rglob("templates/**/*.txt")):
        for message in _in_template(file.read_text()):
            found.setdefault(message, []).append(str(file.relative_to(SOURCE)))
    return found


def _refusal_names() -> set[str]:
    """Names of ``Refused`` and everything that is derived from it, by the class statements of the source."""
    bases: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_name(base) for base in node.bases)
    names, before = {"Refused"}, 0
    while len(names) > before:
        before = len(names)
        names |= {name for name, of in bases.items() if of & names}
    return names


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _in_python(source: str, refusals: set[str]) -> Iterator[Message]:
    tree = ast.parse(source)
    assigned = [(node.targets[0], _text(node.value)) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    for target, said_there in assigned:
        if isinstance(target, ast.Subscript) and _name(target.value) == "missing" and said_there:
            yield Message(said_there)
    named: dict[str, list[str]] = {}  # what is assigned to a name, wherever in the file that is
    for target, said_there in assigned:
        if isinstance(target, ast.Name) and said_there:
            named.setdefault(target.id, []).append(said_there)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        texts = [text for text in map(_text, node.args) if text is not None]
        if name in _PLAIN and texts:
            yield Message(texts[0])
        elif name in _PLURAL and len(texts) >= 2:
            yield Message(texts[0], plural=texts[1])
        elif name in _CONTEXT and len(texts) >= 2:
            yield Message(texts[1], context=texts[0])
        elif name in refusals and node.args and _text(node.args[0]):
            yield from (Message(text) for text in texts if " " in text)
        elif name == "Driver":
            titles = (_text(keyword.value) for keyword in node.keywords if str(keyword.arg).startswith("title"))
            yield from (Message(title) for title in titles if title)
        elif name in _SAID_BY:
            said = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in _SAID_AS)]
            yield from (Message(text) for arg in said for text in _texts(arg, named) if " " in text)


def _texts(node: ast.expr, named: dict[str, list[str]]) -> list[str]:
    """What an argument may say: itself, or all that is assigned to its name."""
    if isinstance(node, ast.Name):
        return named.get(node.id, [])
    text = _text(node)
    return [text] if text else []


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _in_template(source: str) -> Iterator[Message]:
    from django.utils.translation.template import templatize

    pattern = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    for name, first, second in re.findall(
        rf"\b(_|gettext|ngettext|pgettext)\(\s*{pattern}(?:\s*,\s*{pattern})?", templatize(source)
    ):
        one, two = ast.literal_eval(first), ast.literal_eval(second) if second else ""
        if name == "ngettext":
            yield Message(one, plural=two)
        elif name == "pgettext":
            yield Message(two, context=one)
        else:
            yield Message(one)


def read() -> Catalog:
    """The catalogue as it lies in the source."""
    with PO_FILE.open("rb") as file:
        return read_po(file, locale=LANGUAGE)


def update() -> tuple[int, int]:
    """Bring the catalogue up to what the source says: (messages, of them without translation)."""
    old = read() if PO_FILE.exists() else Catalog(locale=LANGUAGE)
    new = Catalog(
        locale=LANGUAGE,
        charset="utf-8",
        project="vmart",
        copyright_holder="vmart",
        header_comment="# vmart",
        fuzzy=False,
    )
    for message, places in find().items():
        key = (message.msgid, message.plural) if message.plural else message.msgid
        held = old.get(message.msgid, message.context or None)
        string = held.string if held else ("",) * new.num_plurals if message.plural else ""
        new.add(key, string, [(place, 0) for place in sorted(set(places))[:3]], context=message.context or None)
    text = io.BytesIO()
    write_po(text, new, sort_output=True, width=120, include_lineno=False)
    lines = [line for line in text.getvalue().decode().splitlines(keepends=True) if not re.match(_NOISE, line)]
    PO_FILE.parent.mkdir(parents=True, exist_ok=True)
    PO_FILE.write_text("".join(lines))
    entries = [entry for entry in new if entry.id]
    return len(entries), sum(not is_translated(entry.string) for entry in entries)


def is_translated(string: object) -> bool:
    """Whether a catalogue entry says something, in every plural."""
    return all(string) if isinstance(string, tuple | list) else bool(string)


if __name__ == "__main__":
    from django.conf import settings

    settings.configure()  # of the settings it needs none: no database, no secrets
    total, missing = update()
    print(f"{total} messages, {missing} without translation")
    sys.exit(1 if missing else 0)

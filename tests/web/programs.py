"""Reads programs of the page "as code" back: each language by rules of its own, not by those that wrote them."""

import ast
import json
import re
import shlex
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

Members = dict[str, Any]
PASSWORD = "<the machine's password>"  # what stands for it in what is read


class Shown(HTMLParser):
    """Texts of a page's elements by their ids, as a browser has them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = dict(attrs).get("id") or "" if tag == "code" else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data


def shown(html: str) -> str:
    """The program, as the copy button takes it; "" where the page has none."""
    return Shown(html).texts.get("program", "").strip() + "\n"


def of_shell(program: str) -> Members:
    """The words of the script as a shell splits them; one of them is the request."""
    words = shlex.split(program, comments=True)
    (request,) = (word.removeprefix("request=") for word in words if word.startswith("request="))
    members: Members = json.loads(request)
    if members.get("LoginSettings") == {"Password": "$password"} and "'\"$password\"'" in program:
        members["LoginSettings"] = {"Password": PASSWORD}
    return members


class _Environment(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        assert ast.unparse(node) == "os.environ['MACHINE_PASSWORD']"
        return ast.Constant(PASSWORD)


def of_python(program: str) -> Members:
    (found,) = (
        node.value
        for node in ast.parse(program).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "members"
    )
    members: Members = ast.literal_eval(_Environment().visit(found))
    return members


_GO_TEXT = r'"(?:[^"\\\n]|\\["\\nrt]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"'
_GO_TOKEN = re.compile(
    rf"\s*(?:(?P<text>{_GO_TEXT})|(?P<number>\d+)|(?P<word>[&*\[\]A-Za-z0-9_.]+)|(?P<sign>[(){{}}:,]))", re.DOTALL
)


class _Go:
    """Values as the program gives them to fields of the request."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def _next(self) -> tuple[str, str]:
        found = _GO_TOKEN.match(self._text, self._at)
        assert found, self._text[self._at :][:60]
        self._at = found.end()
        assert found.lastgroup
        return found.lastgroup, found[found.lastgroup]

    def _peek(self) -> str:
        at, (_kind, text) = self._at, self._next()
        self._at = at
        return text

    def value(self) -> Any:
        if self._peek() == "{":
            return self._fields()
        _kind, word = self._next()
        if word.startswith("&cvm."):
            return self._fields()
        if word.startswith("[]*cvm.") or word == "[]string":
            return self._items()
        return self._called(word)

    def _called(self, name: str) -> Any:
        if name == "os.Getenv":
            assert self._inside(lambda: self._next()[1]) == '"MACHINE_PASSWORD"'
            return PASSWORD
        if name == "common.StringPtr":
            return self._inside(self._text_or_call)
        if name == "common.StringPtrs":
            return self._inside(self.value)
        assert name in ("common.BoolPtr", "common.Int64Ptr", "common.Uint64Ptr"), name
        return self._inside(lambda: json.loads(self._next()[1]))

    def _text_or_call(self) -> Any:
        kind, text = self._next()
        return ast.literal_eval(text) if kind == "text" else self._called(text)

    def _inside(self, read: Callable[[], Any]) -> Any:
        assert self._next()[1] == "("
        value = read()
        assert self._next()[1] == ")"
        return value

    def _items(self) -> list[Any]:
        assert self._next()[1] == "{"
        items = []
        while self._peek() != "}":
            items.append(self._text_or_call() if self._peek()[0] == '"' else self.value())
            if self._peek() == ",":
                self._next()
        self._next()
        return items

    def _fields(self) -> Members:
        assert self._next()[1] == "{"
        members = {}
        while self._peek() != "}":
            _kind, name = self._next()
            assert self._next()[1] == ":"
            members[name] = self.value()
            assert self._next()[1] == ","
        self._next()
        return members


def of_go(program: str) -> Members:
    _before, _, rest = program.partition("\trequest := cvm.NewRunInstancesRequest()\n")
    assigned, _, _after = rest.partition("\n\tresponse, err :=")
    parts = re.split(r"^\trequest\.(\w+) = ", assigned, flags=re.MULTILINE)
    assert parts[0] == ""
    return {name: _Go(text).value() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


_HCL_TEXT = r'"(?:[^"\\\n]|\\["\\nrt]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"'


def hcl_value(text: str) -> Any:
    """A literal, a list of texts, one of them by the machine's number, or the variable of the password."""
    if found := re.fullmatch(r"(\[.*\])\[count\.index\]", text):
        return ("each", hcl_value(found[1]))
    if re.fullmatch(rf"\[(?:{_HCL_TEXT}(?:, )?)*\]", text):
        return [_hcl_text(each) for each in re.findall(_HCL_TEXT, text)]
    if re.fullmatch(_HCL_TEXT, text):
        return _hcl_text(text)
    return PASSWORD if text == "var.machine_password" else json.loads(text)


def _hcl_text(text: str) -> str:
    """No expression begins in it: every ``${`` and ``%{`` has its sign twice."""
    bare = text.replace("$${", "").replace("%%{", "")
    assert "${" not in bare
    assert "%{" not in bare
    return str(ast.literal_eval(text)).replace("$${", "${").replace("%%{", "%{")


def of_terraform(program: str) -> Members:
    """Attributes of the machine; blocks of one name as a list, ``tags`` as a map."""
    _before, _, rest = program.partition('resource "tencentcloud_instance" "machine" {\n')
    machine: Members = {}
    inside = machine
    for line in rest.split("\n")[:-2]:
        word = line.strip()
        if found := re.fullmatch(r"(\w+) (?:= )?\{", word):
            inside = {}
            machine.setdefault(found[1], []).append(inside)
        elif word == "}":
            inside = machine
        elif word:
            found = re.fullmatch(rf"(\w+|{_HCL_TEXT}) += (.*)", word)
            assert found, line
            name = _hcl_text(found[1]) if found[1][0] == '"' else found[1]
            inside[name] = found[2] if name == "ignore_changes" else hcl_value(found[2])
    return machine


READERS: dict[str, Callable[[str], Members]] = {
    "tccli": of_shell, "python": of_python, "go": of_go, "curl": of_shell,
}  # fmt: skip

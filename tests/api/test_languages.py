"""Given a client that asks for Chinese (the SDK's own default), then every sentence of the wire is Chinese."""

import ast
import io
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.utils import translation

import vmart.api
from tests.api.calling import Client, application
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from vmart.api import words
from vmart.api.registry import Registry
from vmart.api.wire import envelope
from vmart.catalog.models import Image
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue
from vmart.subscriptions.models import Subscription

ROOM = Path(vmart.api.__file__).parent
CATALOGUE = read_po(io.BytesIO((ROOM / "locale/zh_Hans/LC_MESSAGES/django.po").read_bytes()), locale="zh_Hans")
CHINESE = {str(message.id): str(message.string) for message in CATALOGUE if message.id}
PAGES = read_po(
    io.BytesIO((ROOM.parent / "locale/zh_Hans/LC_MESSAGES/django.po").read_bytes()), locale="zh_Hans"
)  # the sentences of all other rooms too
EVERYTHING = {str(message.id): str(message.string) for message in PAGES if isinstance(message.id, str)} | CHINESE
_PLACE = re.compile(r"\{(\w+)\}")


def _sentences() -> set[str]:
    """Literals of this room that are sentences: more than a word, with a full stop; docstrings are not."""
    found = set()
    for file in ROOM.rglob("*.py"):
        tree = ast.parse(file.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and " " in node.value
            and node.value[-1] in ".?"
        }
    return found


def test_every_sentence_has_its_translation_with_the_same_places() -> None:
    sentences = _sentences()
    assert len(sentences) > 50
    assert sentences == set(CHINESE)
    for english, chinese in CHINESE.items():
        assert set(_PLACE.findall(english)) == set(_PLACE.findall(chinese)), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), english


@pytest.fixture
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue as it will be compiled, where this checkout is not yet."""

    def gettext(message: str) -> str:
        return EVERYTHING.get(message, message) if translation.get_language() == "zh-hans" else message

    monkeypatch.setattr(translation, "gettext", gettext)


def test_a_sentence_in_chinese(_catalogue: None) -> None:
    refusal = InvalidValue(
        "{parameter} is {value}; it must be at most {le}.", field="Limit", parameter="Limit", value=5, le=3
    )
    assert envelope.sentence(refusal, "zh-hans") == "Limit 为 5，不得大于 3。"
    assert envelope.sentence(refusal, "en") == "Limit is 5; it must be at most 3."


@pytest.mark.parametrize("sign_method", ["TC3-HMAC-SHA256", "HmacSHA256"])
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("zh-CN", "接口 Nothing 不存在。"), ("en-US", "The action Nothing does not exist."), ("fr-FR", "The action")],
)
def test_the_language_of_the_request(_catalogue: None, sign_method: str, language: str, sentence: str) -> None:
    client = Client(application(Registry([])))
    told = client.call("Nothing", language=language, sign_method=sign_method).error[1]
    assert sentence in told


@pytest.mark.usefixtures("_catalogue", "shop")
@pytest.mark.parametrize(
    ("change", "chinese"),
    [
        ({"Placement": {"Zone": "ap-nowhere-1"}}, "Placement.Zone: 可用区 ap-nowhere-1 不存在。"),
        ({"ImageId": "img-ub24n5t8"}, "ImageId: 镜像 img-ub24n5t8 不可用：{why}"),
        ({"InstanceCount": 101}, "InstanceCount: 购买数量为 101"),
        ({"InstanceType": "C3.2XLARGE16"}, "InstanceType: "),
        ({"LoginSettings": {"Password": "weak"}}, "LoginSettings.Password: "),
        ({"SystemDisk": {"DiskSize": 5}}, "SystemDisk.DiskSize: "),
    ],
)
def test_refusals_of_all_rooms(change: dict[str, Any], chinese: str) -> None:
    """What pricing and orders refuse is said in Chinese, to the texts that the catalog file brought."""
    client, _ = open_customer()
    told = client.call("RunInstances", {**HOURLY, **change}, language="zh-CN").error[1]
    why = Image.objects.get(public_id="img-ub24n5t8").unavailable_zh
    assert told.startswith(chinese.format(why=why)), told
    assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]+", told), f"English words: {told}"
    assert re.search(r"[\u4e00-\u9fff]", told)


@pytest.mark.usefixtures("_catalogue", "shop")
def test_why_a_machine_cannot_be_used_and_why_it_failed() -> None:
    client, _ = open_customer()
    (public_id,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    Instance.objects.update(
        state="SHUTDOWN", latest_operation_state="FAILED",
        latest_operation_error="The machine could not be stopped.\nThe host's storage is full.\nAsk the seller.",
    )  # fmt: skip
    Subscription.objects.filter(public_id=public_id).update(standing="isolated", isolated_source="ARREAR")
    asked = {"InstanceIds": [public_id]}
    assert client.call("StartInstances", asked).error[1].endswith("cannot be used: it was stopped for arrears.")
    told = client.call("StartInstances", asked, language="zh-CN").error[1]
    assert EVERYTHING["it was stopped for arrears"] in told
    (machine,) = client.call("DescribeInstances", language="zh-CN").response["InstanceSet"]
    said = [
        EVERYTHING[line]
        for line in ("The machine could not be stopped.", "The host's storage is full.", "Ask the seller.")
    ]
    assert machine["LatestOperationErrorMsg"] == " ".join(said)
    (machine,) = client.call("DescribeInstances").response["InstanceSet"]
    told = "The machine could not be stopped. The host's storage is full. Ask the seller."
    assert machine["LatestOperationErrorMsg"] == told


def test_the_names_of_members_are_not_translated() -> None:
    """Given a member whose name is also a word of the pages, then the sentence names it as the API does."""
    assert EVERYTHING["Region"] != "Region"
    told = words.localized("The parameter {parameter} is given twice.", words.CHINESE, {"parameter": "Region"})
    assert "Region" in told and EVERYTHING["Region"] not in told

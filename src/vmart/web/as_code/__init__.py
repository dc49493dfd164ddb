"""What is chosen on the purchase page as a program that buys it: the request, and how each language tells it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from vmart.web.as_code import curl, go, python, tccli, terraform
from vmart.web.as_code.request import Call


@dataclass(frozen=True, slots=True)
class Language:
    """``install``: commands that bring what the program needs; ``needs``: the same in words, where there are none."""

    title: str
    file: str
    run: str
    program: Callable[[Call], str]
    install: str = ""
    needs: Any = ""


LANGUAGES: Mapping[str, Language] = {
    "tccli": Language("tccli", "buy.sh", "bash buy.sh", tccli.program, "pip install tccli"),
    "python": Language("Python", "buy.py", "python3 buy.py", python.program, "pip install tencentcloud-sdk-python"),
    "go": Language("Go", "buy.go", "go run buy.go", go.program, go.INSTALL),
    "terraform": Language(
        "Terraform", "main.tf", "terraform init\nterraform apply", terraform.program,
        needs=_("It needs Terraform or OpenTofu, which fetch the provider."),
    ),
    "curl": Language(
        "curl", "buy.sh", "bash buy.sh", curl.program,
        needs=_("It needs bash, curl and openssl, which nearly every machine has."),
    ),
}  # fmt: skip

"""How the shop sends mail: what may be said, and what comes of it."""

import re
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from tests.support.running_shop import RunningShop
from vmart.config.cli import main
from vmart.config.mail import MailMisused, MailSettings


@pytest.mark.parametrize(
    ("server", "sender", "shop", "wrong"),
    [
        ("mail.example.org", "a@b.c", "https://s.example", "VMART_SMTP_URL"),
        ("http://mail.example.org", "a@b.c", "https://s.example", "VMART_SMTP_URL"),
        ("smtp://", "a@b.c", "https://s.example", "VMART_SMTP_URL"),
        ("smtp://h:port", "a@b.c", "https://s.example", "no URL"),
        ("smtp://h", "", "https://s.example", "VMART_MAIL_FROM"),
        ("smtp://h", "a@b\r\nBcc: c@d", "https://s.example", "VMART_MAIL_FROM"),
        ("smtp://h", "a@b.c", "", "VMART_PUBLIC_URL"),
        ("", "", "shop.example", "VMART_PUBLIC_URL"),
        ("", "", "https://s.example/path", "VMART_PUBLIC_URL"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_name(server: str, sender: str, shop: str, wrong: str) -> None:
    with pytest.raises(MailMisused, match=wrong):
        MailSettings(server, sender, shop).check()


@pytest.mark.parametrize(
    ("server", "port", "starttls", "tls"),
    [("smtp://h", 587, True, False), ("smtps://h", 465, False, True), ("smtp+plain://h:2525", 2525, False, False)],
)
def test_a_server_is_named_by_a_url(server: str, port: int, starttls: bool, tls: bool) -> None:
    made = MailSettings(server.replace("//", "//us%40er:p%2Fw@"), "a@b.c", "https://s.example").django()
    assert (made["EMAIL_PORT"], made["EMAIL_USE_TLS"], made["EMAIL_USE_SSL"]) == (port, starttls, tls)
    assert (made["EMAIL_HOST"], made["EMAIL_HOST_USER"], made["EMAIL_HOST_PASSWORD"]) == ("h", "us@er", "p/w")


@pytest.mark.parametrize("options", [["--smtp", "smtp://h"], ["--public-url", "shop"], ["--smtp", "http://h"]])
def test_up_refuses_them_before_it_makes_anything(tmp_path: Path, options: list[str]) -> None:
    done = CliRunner().invoke(main, ["up", "--data-dir", str(tmp_path / "new"), *options])
    assert done.exit_code == 2
    assert "VMART_" in done.output
    assert not (tmp_path / "new").exists()


@pytest.mark.xdist_group("running_shop")
def test_the_seller_makes_a_link_with_which_a_customer_chooses_a_password(running_shop: RunningShop) -> None:
    email = running_shop.ready["customer"]["email"]
    link = running_shop.vmart("customer", "reset-password", email.upper()).stdout.strip()
    assert re.fullmatch(rf"{re.escape(running_shop.url)}/accounts/password/reset/key/[0-9a-z]+-[0-9a-z-]+/", link)
    page = requests.get(link, timeout=30)
    assert 'name="password1"' in page.text
    unknown = running_shop.vmart("customer", "reset-password", "nobody@example.org", check=False)
    assert (unknown.returncode, unknown.stdout) == (3, "")
    assert unknown.stderr.strip() == "vmart: there is no active user with the address nobody@example.org"

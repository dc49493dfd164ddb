"""Where Debian packages come from: the machine's own sources, in either of apt's formats."""

from pathlib import Path

import pytest

from vmart.engines.incus.packages import AptSource, InstallError, backports_source, parse_sources, sources_of

ONE_LINE = """
# deb http://mirror.example/debian bullseye main
deb [arch=amd64 signed-by=/usr/share/keyrings/d.gpg] http://mirror.example/debian bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/security bookworm-security main
"""
DEB822 = """
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/d.gpg

# a comment
Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: trixie
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: trixie-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    return tmp_path


def test_both_formats_are_read_and_what_is_off_is_left_out(apt: Path) -> None:
    found = parse_sources(apt)
    assert [(source.uri, source.suite) for source in found] == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/security", "bookworm-security"),
        ("http://mirror.example/debian", "trixie"),
        ("http://mirror.example/debian", "trixie-updates"),
        ("http://mirror.example/security", "trixie-security"),
    ]
    assert found[0].components == ("main", "contrib")
    assert found[0].line() == (
        "deb [arch=amd64 signed-by=/usr/share/keyrings/d.gpg] http://mirror.example/debian bookworm main contrib"
    )
    assert found[4].options == ""  # a key inside the file is apt's own trust; the line names none


def test_backports_are_at_the_mirror_of_the_suite(apt: Path) -> None:
    assert backports_source(parse_sources(apt)) == AptSource(
        "http://mirror.example/debian",
        "bookworm-backports",
        ("main",),
        "arch=amd64 signed-by=/usr/share/keyrings/d.gpg",
    )


def test_backports_that_are_there_are_not_named_twice() -> None:
    there = [AptSource("http://mirror.example/debian", "bookworm-backports", ("main",))]
    assert backports_source(there) is None


def test_a_machine_without_the_suite_is_told_so() -> None:
    with pytest.raises(InstallError, match="no `bookworm main`"):
        backports_source([AptSource("http://mirror.example/debian", "trixie", ("main",))])


def test_an_image_is_made_of_main_security_and_updates(apt: Path) -> None:
    made_of = sources_of("trixie", parse_sources(apt))
    assert [(source.suite, source.components) for source in made_of] == [
        ("trixie", ("main",)),
        ("trixie-updates", ("main",)),
        ("trixie-security", ("main",)),
    ]

"""However many files a request has, together they take no more memory than one may."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from vmart.pages.uploads import BYTES_MAX

MIB = 2**20


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([BYTES_MAX], [BYTES_MAX]),
        ([BYTES_MAX + 1], [0]),
        ([MIB, MIB], [MIB, MIB]),
        ([MIB, MIB, 1], [MIB, MIB, 0]),
        ([BYTES_MAX] * 100, [BYTES_MAX] + [0] * 99),
        ([3 * MIB, MIB], [0, MIB]),  # what was dropped takes nothing
        ([0, MIB], [0, MIB]),
    ],
)
def test_the_files_of_a_request_share_one_limit(sizes: list[int], kept: list[int]) -> None:
    files = {f"f{number}": SimpleUploadedFile("a.png", b"x" * size) for number, size in enumerate(sizes)}
    found = list(RequestFactory().post("/", files).FILES.values())
    assert [len(file.read()) for file in found] == kept
    dropped = [file.size for file, held, size in zip(found, kept, sizes, strict=True) if held < size]
    assert all(size > BYTES_MAX for size in dropped)

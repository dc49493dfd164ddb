"""Files that people send: kept in memory up to a limit for all of a request; of what is beyond only a size is known."""

import io
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

BYTES_MAX = 2 * 1024 * 1024


class AtMost(FileUploadHandler):
    """No file reaches the disk, whoever sends it: what is beyond the limit is read from the wire and dropped."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self.left = BYTES_MAX  # bytes that the request's files may still take in memory, all of them together

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._kept, self._is_dropped = io.BytesIO(), False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._is_dropped:
            return
        if len(raw_data) <= self.left:
            self.left -= self._kept.write(raw_data)
        else:
            self.left += self._kept.tell()
            self._kept, self._is_dropped = io.BytesIO(), True

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        """The file; where it was too much, empty and with a size beyond the limit."""
        if self._is_dropped:
            file_size = max(file_size, BYTES_MAX + 1)
        self._kept.seek(0)
        return InMemoryUploadedFile(
            file=self._kept, field_name=self.field_name, name=self.file_name, content_type=self.content_type,
            size=file_size, charset=self.charset, content_type_extra=self.content_type_extra,
        )  # fmt: skip

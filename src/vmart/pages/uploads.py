"""Files that people send: kept in memory up to a limit; of a larger one only its size is known."""

import io
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

BYTES_MAX = 2 * 1024 * 1024


class AtMost(FileUploadHandler):
    """No file reaches the disk, whoever sends it: what is beyond the limit is read from the wire and dropped."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._kept = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) <= BYTES_MAX:
            self._kept.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        """The file; empty, with its size, where it is too large."""
        if file_size > BYTES_MAX:
            self._kept = io.BytesIO()
        self._kept.seek(0)
        return InMemoryUploadedFile(
            file=self._kept, field_name=self.field_name, name=self.file_name, content_type=self.content_type,
            size=file_size, charset=self.charset, content_type_extra=self.content_type_extra,
        )  # fmt: skip

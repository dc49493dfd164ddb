"""Typed refusals: a code, a sentence for the person, the field at fault.

A refusal says that the request changed nothing. Codes are those of the Tencent Cloud API 3.0, the
field's vocabulary; the page shows the sentence, the legacy API translates the code to its numbers.
Each room's ``errors.py`` subclasses ``Refused``.
"""

from typing import ClassVar

WHY = "why"  # the place whose text is of ours too, and translated; in the others are names and numbers, as they are


class Refused(Exception):
    """The request cannot be done and nothing was written.

    ``template`` is an English sentence with ``{name}`` places, filled from ``params``; it is also
    the msgid under which the page looks up the Chinese one. ``field`` is the path of what is at fault in
    the value that the act takes (``data_disks.0.size_gib``), or None where no single thing is. Page and
    API call it by their own names (ADR 0031); what they refuse of a request before its act has those.
    """

    code: ClassVar[str] = "FailedOperation"

    def __init__(self, template: str, *, field: str | None = None, code: str | None = None, **params: object) -> None:
        self.template = template
        self.params = params
        self.field = field
        if code is not None:
            self.code = code  # type: ignore[misc]
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The English sentence with its places filled."""
        return self.template.format(**self.params) if self.params else self.template


class MissingParameter(Refused):
    code = "MissingParameter"


class InvalidParameter(Refused):
    code = "InvalidParameter"


class InvalidValue(Refused):
    code = "InvalidParameterValue"


class NotFound(Refused):
    """Also said of somebody else's thing: its existence is not told."""

    code = "ResourceNotFound"


class LimitExceeded(Refused):
    code = "LimitExceeded"


class Unsupported(Refused):
    code = "UnsupportedOperation"

"""Refusals about tags: codes of the Tencent Cloud API 3.0, fields by what the acts take."""

from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound, Refused


class BadTag(InvalidValue):
    """A key or value that no tag can have; each reason has a code of its own."""


class UnknownThing(InvalidValue):
    """Also said of another account's."""

    code = "InvalidParameterValue.ResourceIdInvalid"


class TooManyTags(LimitExceeded):
    code = "LimitExceeded.ResourceAttachedTags"


class TooManyInRequest(LimitExceeded):
    code = "LimitExceeded.TagNumPerRequest"


class KeyThere(Refused):
    code = "ResourceInUse.TagKeyAttached"


class KeyNotThere(NotFound):
    code = "ResourceNotFound.AttachedTagKeyNotFound"


class TagThere(Refused):
    code = "ResourceInUse.TagDuplicate"


class TagInUse(Refused):
    code = "FailedOperation.TagAttachedResource"


class TagUnknown(NotFound):
    code = "ResourceNotFound.TagNonExist"


class TooManyKept(LimitExceeded):
    code = "LimitExceeded.TagKey"

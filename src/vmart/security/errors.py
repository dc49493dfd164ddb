"""Refusals about security groups: codes of the Tencent Cloud API 3.0, fields by what the acts take."""

from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, NotFound, Refused, Unsupported


class UnknownGroup(NotFound):
    """Also said of another account's."""


class GroupInUse(Refused):
    code = "ResourceInUse"


class UnknownPlace(InvalidValue):
    """A region that the shop does not have."""


class DefaultGroup(Unsupported):
    """The default group cannot be deleted."""


class BadGroupName(InvalidValue):
    code = "InvalidParameterValue.TooLong"


class BadPolicy(InvalidValue):
    code = "InvalidParameterValue.Malformed"


class UnknownPolicy(NotFound):
    """A rule that the group has not."""


class StaleVersion(Unsupported):
    code = "UnsupportedOperation.VersionMismatch"


class TooManyPolicies(LimitExceeded):
    code = "LimitExceeded.SecurityGroupPolicySet"


class TooManyGroups(LimitExceeded):
    """Of an account, or of a machine."""


class WrongPolicies(InvalidParameter):
    """Rules that cannot be asked for together."""

"""Refusals about launch templates: codes of the Tencent Cloud API 3.0, fields by what the acts take."""

from vmart.kernel.errors import InvalidValue, LimitExceeded, Unsupported


class UnknownTemplate(InvalidValue):
    """Also said of another account's."""

    code = "InvalidParameterValue.LaunchTemplateIdNotExisted"


class UnknownVersion(InvalidValue):
    code = "InvalidParameterValue.LaunchTemplateIdVerNotExisted"


class DefaultVersion(InvalidValue):
    """The default version is to be deleted by itself."""

    code = "InvalidParameterValue.LaunchTemplateDefaultVersion"


class BadTemplateName(InvalidValue):
    code = "InvalidParameterValue.InvalidLaunchTemplateName"


class BadDescription(InvalidValue):
    code = "InvalidParameterValue.InvalidLaunchTemplateVersionDescription"


class TooManyTemplates(LimitExceeded):
    code = "LimitExceeded.LaunchTemplateQuota"


class TooManyVersions(LimitExceeded):
    code = "LimitExceeded.LaunchTemplateVersionQuota"


class PasswordInTemplate(Unsupported):
    """A template is read again and again: no password belongs into it."""

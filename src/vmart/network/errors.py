"""Refusals about private networks: codes of the API of vpc, 2017-03-12; fields by what the acts take."""

from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound, Refused, Unsupported


class UnknownVpc(NotFound):
    """Not a VPC of the account in the region."""


class UnknownSubnet(NotFound):
    """Not a subnet of the account."""


class BadNetworkName(InvalidValue):
    code = "InvalidParameterValue.TooLong"


class BadRange(InvalidValue):
    code = "InvalidParameterValue.Malformed"


class RangeTaken(InvalidValue):
    code = "InvalidParameterValue.SubnetConflict"


class UnknownRegion(InvalidValue):
    code = "InvalidParameterValue"


class ZoneElsewhere(InvalidValue):
    code = "InvalidParameterValue.UnavailableZone"


class NetworkInUse(Refused):
    code = "ResourceInUse"


class DefaultNetwork(Unsupported):
    """What a first purchase made, and the next would make again, is not deleted."""


class TooManyNetworks(LimitExceeded):
    """A limit of the published API: VPCs of a region, subnets of a VPC."""


class BadPrivateAddress(InvalidValue):
    code = "InvalidParameterValue.IPAddressMalformed"


class PrivateAddressOutside(InvalidValue):
    code = "VpcAddrNotInSubNet"


class PrivateAddressTaken(InvalidValue):
    code = "VpcIpIsUsed"

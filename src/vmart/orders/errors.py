"""Refusals of acts: codes of the Tencent Cloud API 3.0, fields by the values that acts take."""

from django.utils import translation

from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, NotFound, Refused, Unsupported


class InLanguages:
    """A text of the catalog in a place of a sentence: said in the language that is active then."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh

    def __str__(self) -> str:
        return self.zh if self.zh and (translation.get_language() or "").startswith("zh") else self.en


class InsufficientBalance(Refused):
    code = "InvalidAccount.InsufficientBalance"


class InArrears(Refused):
    code = "InvalidAccount.InsufficientBalance"


class AccountFrozen(Refused):
    code = "OperationDenied.AccountNotSupported"


class SoldOut(Refused):
    code = "ResourcesSoldOut.SpecifiedInstanceType"


class NoRoom(SoldOut):
    """On sale, and no host has the room now."""


class NoRoomOnHost(SoldOut):
    """For a machine that is there, on the host on which it is."""


class RoomIsMade(SoldOut):
    """Spot machines give their room back: it is there in two minutes."""


class DiskSoldOut(Refused):
    code = "ResourceInsufficient.CloudDiskSoldOut"


class UnknownDisk(NotFound):
    """Not a disk of the machine."""

    code = "InvalidParameter.DataDiskNotBelongSpecifiedInstance"


class UnknownPlacementGroup(NotFound):
    """Also said of another account's."""

    code = "FailedOperation.DisasterRecoverGroupNotFound"


class NoPlaceInGroup(Refused):
    """No host is left on which the group has none of its machines yet, or it has as many as it may have."""

    code = "ResourceInsufficient.DisasterRecoverGroupCvmQuota"


class NoPlaceApart(NoPlaceInGroup):
    """There is room, but only beside machines of the group."""


class NotInGroup(InvalidValue):
    code = "FailedOperation.DisasterRecoverGroupNotMatch"


class GroupInUse(Refused):
    """It has machines."""

    code = "ResourceInUse"


class TooManyGroups(LimitExceeded):
    code = "LimitExceeded.DisasterRecoverGroup"


class UnknownOwnDisk(NotFound):
    """Not a disk of the account."""

    code = "InvalidDiskId.NotFound"


class GoesWithMachine(Refused):
    """A disk that was bought with its machine stays with it."""

    code = "InvalidDisk.NotPortable"


class DiskBusy(Refused):
    code = "InvalidDisk.Busy"


class DiskState(Refused):
    """The disk is in a state in which this cannot be done."""

    code = "UnsupportedOperation.StateError"


class DiskExpired(Refused):
    """The term of the disk is over."""

    code = "InvalidDisk.Expire"


class NotPrepaid(Refused):
    """The disk is charged by the hour: it has no term."""

    code = "InvalidDisk.NotSupported"


class NotPostpaid(Refused):
    """The disk is paid ahead already."""

    code = "InvalidDisk.NotSupported"


class DiskAttached(Refused):
    code = "ResourceUnavailable.Attached"


class MachineRuns(Refused):
    """The machine that has the disk must be off for this."""

    code = "UnsupportedOperation.InstanceNotStopped"


class OtherZone(Refused):
    """Disk and machine are in different zones."""

    code = "ResourceUnavailable.ZoneNotMatch"


class TooManyDisks(LimitExceeded):
    """More than a machine takes."""

    code = "LimitExceeded.InstanceAttachedDisk"


class NoOwnDisks(InvalidParameter):
    """The zone's engine keeps no disks with a life of their own."""

    code = "InvalidParameter.DiskConfigNotSupported"


class NoAddress(Refused):
    code = "ResourcesSoldOut.EipInsufficient"


class UnknownZone(InvalidValue):
    code = "InvalidParameterValue.ZoneNotSupported"


class UnknownImage(InvalidValue):
    code = "InvalidImageId.NotFound"


class ImageNotSold(InvalidValue):
    code = "InvalidImageId.IncorrectState"


class ImageStandsOnIt(Refused):
    """An image stands on the snapshot."""

    code = "UnsupportedOperation.SnapshotHasBindedImage"


class NotOfSystemDisk(InvalidParameter):
    """Images are made of snapshots of system disks."""

    code = "InvalidParameter.SystemSnapshotNotFound"


class ImageBusy(InvalidValue):
    """It is being made, or machines are being made of it."""

    code = "InvalidParameterValue.InvalidImageState"


class ImageShared(InvalidValue):
    """Other accounts may make machines of it."""

    code = "InvalidImageId.InShared"


class ImageNameTaken(InvalidValue):
    """Another image of the account has the name."""

    code = "InvalidImageName.Duplicate"


class NotImageOwner(Unsupported):
    """It is shared with the account, or a public one."""

    code = "UnsupportedOperation.SharedImageModifyUnsupported"


class NoOwnImages(Unsupported):
    """The zone's engine makes no images of machines."""


class NoRescue(Unsupported):
    """The zone's engine boots no machine from a rescue system."""


class NoImports(Unsupported):
    """The zone makes no images of such files, or the shop of none."""

    code = "RegionAbilityLimit.UnsupportedToImportImage"


class BadImportUrl(InvalidParameter):
    """Nothing is fetched from there."""

    code = "InvalidParameter.InvalidParameterUrlError"


class UnknownSystem(InvalidValue):
    """Of no system that the shop knows."""

    code = "InvalidImageOsVersion.Unsupported"


class TooManyImports(LimitExceeded):
    """At once."""


class TooManyImages(LimitExceeded):
    code = "ImageQuotaLimitExceeded"


class TooManyShares(LimitExceeded):
    """With more accounts than an image may be shared."""

    code = "OverQuota"


class UnknownAccount(NotFound):
    """No account to share an image with."""

    code = "InvalidAccountId.NotFound"


class SharedWithOneself(InvalidValue):
    code = "InvalidAccountIs.YourSelf"


class SystemDiskTooSmall(InvalidValue):
    code = "InvalidParameterValue.InvalidImageIdForRetsetInstance"


class UnknownNetwork(InvalidValue):
    """Not a private network of the account, or one of another place."""

    code = "InvalidParameterValue.VpcIdNotExist"


class SubnetFull(Refused):
    code = "FailedOperation.NoAvailableIpAddressCountInSubnet"


class NotSoldHere(InvalidValue):
    code = "ResourceNotFound.InvalidZoneInstanceType"


class WeakPassword(InvalidValue):
    code = "InvalidParameterValue.InvalidPassword"


class PasswordNotKept(NotFound):
    """The shop made none, or has it no more."""


class BadHostName(InvalidValue):
    code = "InvalidParameterValue.IllegalHostName"


class NameTooLong(InvalidValue):
    code = "InvalidInstanceName.TooLong"


class UserDataTooLarge(InvalidValue):
    code = "InvalidParameterValue.Range"


class TokenReused(InvalidValue):
    """The client token was used for another request."""


class QuotaReached(LimitExceeded):
    code = "LimitExceeded.InstanceQuota"


class UnknownInstance(NotFound):
    code = "InvalidInstanceId.NotFound"


class Busy(Refused):
    code = "OperationDenied.InstanceOperationInProgress"


class KeyNotBound(InvalidValue):
    code = "InvalidParameterValue.KeyPairNotSupported"


class WrongState(Refused):
    code = "UnsupportedOperation.InstanceStateStopped"


class Protected(Refused):
    """A program wants to end a machine that its owner protects from programs."""

    code = "UnsupportedOperation.InstancesProtected"


class AlreadyPlanned(Refused):
    """A machine has one planned end at most."""

    code = "FailedOperation.MutActionTimerExist"


class NotPlanned(NotFound):
    """No end is planned, or it has come."""


class WrongMode(Unsupported):
    code = "UnsupportedOperation.InstanceChargeType"


class NothingToRefund(Unsupported):
    """Nothing was paid for the order, or all of it has come back."""


class NotVoidable(Unsupported):
    """The order is delivered, or ends by itself."""


class ChangedMeanwhile(Unsupported):
    """What is confirmed is not what was shown."""


class OrderNotPayable(InvalidParameter):
    """Paid, expired or closed already, or not this customer's."""


class UnknownSecurityGroup(Refused):
    """A security group that is not the account's or not of the machine's region, or in which the machine is not."""

    code = "InvalidSecurityGroupId.NotFound"


class TooManyGroupsOfMachine(LimitExceeded):
    code = "LimitExceeded.AssociateUSGLimitExceeded"


class UnknownEip(NotFound):
    """A bought public address that is not the account's."""

    code = "InvalidAddressId.NotFound"


class EipBusy(Refused):
    code = "OperationDenied.MutexTaskRunning"


class EipWrongState(Refused):
    """Bound where it must be free, or the other way about."""

    code = "InvalidAddressIdStatus.NotPermit"


class EipInArrears(Refused):
    code = "InvalidAddressIdState.InArrears"


class EipExpired(Refused):
    """The term of the public address is over."""

    code = "InvalidAddressIdState.InArrears"


class EipCharged(Refused):
    """The public address is charged in a way that does not allow it."""

    code = "UnsupportedOperation.InvalidAddressInternetChargeType"


class HasAddress(Refused):
    """A machine has a public address already, which may be off now."""

    code = "InvalidInstanceId.AlreadyBindEip"


class AddressElsewhere(Unsupported):
    """A public address is led to machines of its own zone."""

    code = "UnsupportedOperation.AddressIpNotSupportInstance"


class UnknownPackage(InvalidValue):
    """A bandwidth package that is not the account's."""

    code = "InvalidParameterValue.BandwidthPackageNotFound"


class PackageInUse(InvalidValue):
    """Addresses are in the bandwidth package."""

    code = "InvalidParameterValue.BandwidthPackageInUse"


class PackageBusy(Refused):
    code = "OperationDenied.MutexTaskRunning"


class PackageInArrears(Refused):
    code = "UnsupportedOperation.BandwidthPackageIdNotSupported"


class PackageElsewhere(Unsupported):
    """A bandwidth package is for addresses of its own zone."""

    code = "UnsupportedOperation.BandwidthPackageIdNotSupported"


class PackageFull(LimitExceeded):
    code = "LimitExceeded.BandwidthPackageResourceQuota"


class NoPackages(Unsupported):
    """The zone's engine cannot hold one speed over several machines."""


class InPackage(Refused):
    """The public address is in a bandwidth package, and what is asked is for one that is in none."""

    code = "UnsupportedOperation.InvalidAddressInternetChargeType"


class NotInPackage(InvalidValue):
    """The public address is not in the bandwidth package that is named."""


class BadPackageName(InvalidValue):
    """Of a bandwidth package."""


class BadAddressName(InvalidValue):
    """Of a bought public address."""


class UnknownTask(NotFound):
    """Not the latest act on an address of the account's."""


class UnknownSnapshot(NotFound):
    """Not a snapshot of the account."""

    code = "InvalidSnapshotId.NotFound"


class SnapshotBusy(Refused):
    code = "ResourceInUse"


class SnapshotWrongState(Refused):
    """Kept for arrears."""

    code = "InvalidSnapshot.NotSupported"


class SnapshotInUse(Refused):
    """Something is being made of it."""

    code = "ResourceInUse"


class NotItsDisk(InvalidValue):
    """A snapshot is given back to the disk that it was made of."""

    code = "InvalidSnapshot.NotSupported"


class NotOfDataDisk(InvalidValue):
    """Data disks are made of snapshots of data disks."""

    code = "InvalidSnapshot.NotSupported"


class NoSnapshots(InvalidParameter):
    """The zone's engine makes none."""

    code = "InvalidDisk.NotSupportSnapshot"


class BadSnapshotName(InvalidValue):
    """Of a snapshot."""


class UnknownSnapshotPolicy(NotFound):
    """Not a snapshot policy of the account."""

    code = "InvalidAutoSnapshotPolicyId.NotFound"


class TooManySnapshotPolicies(LimitExceeded):
    code = "LimitExceeded.AutoSnapshotPolicyOutOfQuota"


class HasSnapshotPolicy(Refused):
    """Of a disk: each has one at most."""

    code = "InvalidDisk.AlreadyBound"


class NotOfSnapshotPolicy(InvalidValue):
    """Of a disk that is bound to another one, or to none."""


class DiskOfAnotherRegion(InvalidValue):
    """Of a disk: policies are of a region."""

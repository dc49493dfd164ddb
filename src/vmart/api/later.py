"""Actions that the API has and this shop does not offer: answered ``UnsupportedOperation`` with a sentence.

Names of product 213 as published, and of the other products those that purchase and provisioning tools call.
Whoever builds an action takes its name out here; the registry refuses a name that stands in both places.
"""

LATER: dict[str, tuple[str, ...]] = {
    # cvm; vpc and cbs share its version
    "2017-03-12": tuple(
        """
        AllocateHosts AssociateInstancesKeyPairs AssociateSecurityGroups ConfigureChcAssistVpc ConfigureChcDeployVpc
        ConvertOperatingSystems CreateDisasterRecoverGroup CreateHpcCluster CreateImage CreateLaunchTemplate
        CreateLaunchTemplateVersion DeleteDisasterRecoverGroups DeleteHpcClusters DeleteImages
        DeleteInstancesActionTimer DeleteInstancesDisasterRecoverGroups DeleteLaunchTemplate
        DeleteLaunchTemplateVersions DescribeAccountQuota DescribeChcDeniedActions DescribeChcHosts
        DescribeDisasterRecoverGroupQuota DescribeDisasterRecoverGroups DescribeHosts DescribeHpcClusters
        DescribeImageFromFamily DescribeImageQuota DescribeImageSharePermission DescribeImportImageOs
        DescribeInstanceFamilyConfigs DescribeInstanceInternetBandwidthConfigs DescribeInstanceVncUrl
        DescribeInstancesActionTimer DescribeInstancesAttributes DescribeInstancesModification
        DescribeInstancesOperationLimit DescribeInternetChargeTypeConfigs DescribeLaunchTemplateVersions
        DescribeLaunchTemplates DescribeResourcePoolPackInstances DescribeResourcePoolPackTypeConfigs
        DescribeResourcePoolPacks DescribeTaskInfo DisassociateInstancesKeyPairs DisassociateSecurityGroups
        EnterRescueMode ExitRescueMode ExportImages ImportImage ImportInstancesActionTimer
        InquirePricePurchaseResourcePoolPacks InquiryPriceModifyInstancesChargeType InquiryPriceRenewHosts
        InquiryPriceRenewInstances InquiryPriceResetInstance InquiryPriceResetInstancesInternetMaxBandwidth
        InquiryPriceResetInstancesType InquiryPriceResizeInstanceDisks ModifyChcAttribute ModifyChcNetworkMode
        ModifyDisasterRecoverGroupAttribute ModifyHostsAttribute ModifyHpcClusterAttribute ModifyImageAttribute
        ModifyImageSharePermission ModifyInstanceDiskType ModifyInstancesAttribute ModifyInstancesChargeType
        ModifyInstancesDisasterRecoverGroup ModifyInstancesProject ModifyInstancesRenewFlag
        ModifyInstancesVpcAttribute ModifyKeyPairAttribute ModifyLaunchTemplateDefaultVersion ProgramFpgaImage
        PurchaseResourcePoolPacks RemoveChcAssistVpc RemoveChcDeployVpc RenewHosts RenewInstances
        RepairTaskControl ResetInstance ResetInstancesInternetMaxBandwidth ResetInstancesPassword
        ResetInstancesType ResizeInstanceDisks SyncImages TerminateResourcePoolPacks

        DescribeVpcs DescribeSubnets CreateVpc CreateSubnet DeleteVpc DeleteSubnet DescribeSecurityGroups
        CreateSecurityGroup DeleteSecurityGroup DescribeSecurityGroupPolicies CreateSecurityGroupPolicies
        DeleteSecurityGroupPolicies DescribeUsedIpAddress DescribeVpcPrivateIpAddresses DescribeAddresses
        AllocateAddresses AssociateAddress DisassociateAddress ReleaseAddresses

        DescribeDisks DescribeDiskConfigQuota InquiryPriceCreateDisks CreateDisks AttachDisks DetachDisks ResizeDisk
        ModifyDiskAttributes TerminateDisks CreateSnapshot DescribeSnapshots DeleteSnapshots
        """.split()
    ),
    # billing
    "2018-07-09": tuple(
        """
        DescribeDealsByCond PayDeals DescribeBillDetail DescribeBillResourceSummary DescribeBillSummaryByProduct
        DescribeBillSummaryByRegion DescribeBillSummaryByPayMode DescribeBillSummaryByTag DescribeVoucherInfo
        RefundInstance RenewInstance SetRenewal
        """.split()
    ),
    # tag and sts
    "2018-08-13": tuple(
        """
        DescribeResourceTagsByResourceIds ModifyResourceTags GetResources TagResources UnTagResources
        DescribeTagKeys DescribeProjects GetCallerIdentity AssumeRole
        """.split()
    ),
    # region
    "2022-06-27": ("DescribeProducts",),
}

LEGACY_LATER: dict[str, tuple[str, ...]] = {
    "": tuple(
        """
        RenewInstance SetAutoRenew RestartInstances ResetInstancePassword ResizeInstance ResizeInstanceHour
        UpdateInstanceBandwidth UpdateInstanceBandwidthHour DescribeImages DescribeKeyPairs DescribeDeals
        DescribeAccountBalance ModifyInstanceAttributes ResetInstances
        """.split()
    )
}

"""Legacy: members that several requests have, and the numbers of disk types."""

from typing import Annotated

from pydantic import Field

from vmart.api.declarations import Domain

# 1 local disk, 2 cloud disk, 3 local SSD, 4 cloud SSD: there are no local disks, and the cloud's stand for them.
DISK_TYPES = {1: "CLOUD_PREMIUM", 2: "CLOUD_PREMIUM", 3: "CLOUD_SSD", 4: "CLOUD_SSD"}
DISK_NUMBERS = {"CLOUD_PREMIUM": 2, "CLOUD_SSD": 4}

Name = Annotated[str, Field(max_length=60)]
InstanceIds = Annotated[list[Name], Field(max_length=100), Domain("machines")]
InstanceId = Annotated[Name, Domain("machines")]

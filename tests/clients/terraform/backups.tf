# A machine with an IPv6 address and an image of it; disks by themselves with policies of snapshots.
# tests/clients/test_terraform.py applies, changes and destroys it.

terraform {
  required_providers {
    tencentcloud = {
      source = "tencentcloudstack/tencentcloud"
    }
  }
}

provider "tencentcloud" {
  region   = "ap-guangzhou"
  protocol = "HTTP"
  domain   = var.domain
}

variable "domain" {}

variable "public_key" {}

variable "image_name" {
  default = "tf-golden"
}

variable "image_description" {
  default = "with nginx"
}

variable "team" {
  default = "a"
}

variable "policy_name" {
  default = "tf-nightly"
}

variable "weekdays" {
  default = [0, 3]
}

variable "hours" {
  default = [2]
}

variable "retention_days" {
  default = 7
}

data "tencentcloud_images" "debian" {
  image_type = ["PUBLIC_IMAGE"]
  os_name    = "debian"
}

resource "tencentcloud_key_pair" "admin" {
  key_name   = "tf_backups"
  public_key = var.public_key
}

resource "tencentcloud_vpc" "own" {
  name       = "tf-backups"
  cidr_block = "10.8.0.0/16"
}

resource "tencentcloud_subnet" "own" {
  name              = "tf-backups"
  vpc_id            = tencentcloud_vpc.own.id
  availability_zone = "ap-guangzhou-4"
  cidr_block        = "10.8.1.0/24"
}

resource "tencentcloud_instance" "web" {
  instance_name              = "tf-golden"
  availability_zone          = "ap-guangzhou-4"
  image_id                   = data.tencentcloud_images.debian.images[0].image_id
  instance_type              = "S5.SMALL1"
  instance_charge_type       = "POSTPAID_BY_HOUR"
  system_disk_type           = "CLOUD_PREMIUM"
  system_disk_size           = 50
  allocate_public_ip         = true
  internet_charge_type       = "TRAFFIC_POSTPAID_BY_HOUR"
  internet_max_bandwidth_out = 5
  ipv6_address_count         = 1
  vpc_id                     = tencentcloud_vpc.own.id
  subnet_id                  = tencentcloud_subnet.own.id
  key_ids                    = [tencentcloud_key_pair.admin.id]
  force_delete               = true
}

resource "tencentcloud_image" "golden" {
  instance_id       = tencentcloud_instance.web.id
  image_name        = var.image_name
  image_description = var.image_description
  force_poweroff    = true
  tags              = { team = var.team }
}

resource "tencentcloud_cbs_storage" "data" {
  count             = 3
  storage_name      = "tf-data-${count.index}"
  storage_type      = "CLOUD_PREMIUM"
  storage_size      = 20
  availability_zone = "ap-guangzhou-4"
  charge_type       = "POSTPAID_BY_HOUR"
  force_delete      = true
}

resource "tencentcloud_cbs_snapshot_policy" "nightly" {
  snapshot_policy_name = var.policy_name
  repeat_weekdays      = var.weekdays
  repeat_hours         = var.hours
  retention_days       = var.retention_days
}

resource "tencentcloud_cbs_snapshot_policy_attachment" "one" {
  storage_id         = tencentcloud_cbs_storage.data[0].id
  snapshot_policy_id = tencentcloud_cbs_snapshot_policy.nightly.id
}

resource "tencentcloud_cbs_snapshot_policy_attachment" "two" {
  storage_ids        = [tencentcloud_cbs_storage.data[1].id, tencentcloud_cbs_storage.data[2].id]
  snapshot_policy_id = tencentcloud_cbs_snapshot_policy.nightly.id
}

output "machine" {
  value = tencentcloud_instance.web.id
}

output "ipv6_addresses" {
  value = tencentcloud_instance.web.ipv6_addresses
}

output "image" {
  value = tencentcloud_image.golden.id
}

output "policy" {
  value = tencentcloud_cbs_snapshot_policy.nightly.id
}

output "disks" {
  value = tencentcloud_cbs_storage.data[*].id
}

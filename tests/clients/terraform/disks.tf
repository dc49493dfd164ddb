# Two disks with a life of their own: one is paid ahead from its purchase on, one is charged by the hour first.
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

variable "renew_flag" {
  default = "NOTIFY_AND_MANUAL_RENEW"
}

variable "size" {
  default = 20
}

variable "charge_type" {
  default = "POSTPAID_BY_HOUR"
}

resource "tencentcloud_cbs_storage" "ahead" {
  storage_name       = "tf-ahead"
  storage_type       = "CLOUD_SSD"
  storage_size       = var.size
  availability_zone  = "ap-guangzhou-4"
  charge_type        = "PREPAID"
  prepaid_period     = 1
  prepaid_renew_flag = var.renew_flag
  force_delete       = true
  tags               = { team = "shop" }
}

resource "tencentcloud_cbs_storage" "converted" {
  storage_name       = "tf-converted"
  storage_type       = "CLOUD_PREMIUM"
  storage_size       = 20
  availability_zone  = "ap-guangzhou-4"
  charge_type        = var.charge_type
  prepaid_period     = var.charge_type == "PREPAID" ? 1 : null
  prepaid_renew_flag = "NOTIFY_AND_MANUAL_RENEW"
  force_delete       = true
}

output "ahead" {
  value = tencentcloud_cbs_storage.ahead.id
}

output "converted" {
  value = tencentcloud_cbs_storage.converted.id
}

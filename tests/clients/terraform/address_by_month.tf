# A public address by itself that is paid ahead. tests/clients/test_terraform.py applies, changes and destroys it.

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

variable "name" {
  default = "front"
}

variable "bandwidth" {
  default = 5
}

variable "period" {
  default = 1
}

variable "renew_flag" {
  default = 0
}

variable "team" {
  default = "a"
}

resource "tencentcloud_eip" "front" {
  name                       = var.name
  internet_charge_type       = "BANDWIDTH_PREPAID_BY_MONTH"
  prepaid_period             = var.period
  auto_renew_flag            = var.renew_flag
  internet_max_bandwidth_out = var.bandwidth
  tags                       = { team = var.team }
}

output "address" {
  value = tencentcloud_eip.front.id
}

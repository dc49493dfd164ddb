# Public addresses that share one bandwidth. tests/clients/test_terraform.py applies, changes and destroys it.

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
  default = "shared"
}

variable "bandwidth" {
  default = 10
}

variable "team" {
  default = "a"
}

variable "attached" {
  default = true
}

resource "tencentcloud_vpc_bandwidth_package" "shared" {
  network_type           = "BGP"
  charge_type            = "BANDWIDTH_POSTPAID_BY_DAY"
  bandwidth_package_name = var.name
  internet_max_bandwidth = var.bandwidth
  tag                    = { team = var.team }
}

resource "tencentcloud_eip" "front" {
  name                       = "front"
  internet_charge_type       = "TRAFFIC_POSTPAID_BY_HOUR"
  internet_max_bandwidth_out = 5

  lifecycle {
    ignore_changes = [internet_charge_type, bandwidth_package_id] # those of the package while it is in it
  }
}

resource "tencentcloud_eip" "back" {
  name                       = "back"
  internet_charge_type       = "BANDWIDTH_PACKAGE"
  internet_max_bandwidth_out = 5
  bandwidth_package_id       = tencentcloud_vpc_bandwidth_package.shared.id
}

resource "tencentcloud_vpc_bandwidth_package_attachment" "front" {
  count                = var.attached ? 1 : 0
  bandwidth_package_id = tencentcloud_vpc_bandwidth_package.shared.id
  resource_id          = tencentcloud_eip.front.id
}

output "package" {
  value = tencentcloud_vpc_bandwidth_package.shared.id
}

output "addresses" {
  value = [tencentcloud_eip.front.id, tencentcloud_eip.back.id]
}

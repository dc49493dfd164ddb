# A customer's configuration: what the shop offers is looked up, two machines are bought with a key pair.
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

variable "domain" {
  description = "Root domain and port of the shop's API: cvm.DOMAIN must lead there."
}

variable "public_key" {}

variable "name" {
  default = "web"
}

variable "instance_type" {
  default = null
}

variable "bandwidth" {
  default = 5
}

variable "disk_size" {
  default = 50
}

variable "protected" {
  default = false
}

variable "running" {
  default = true
}

variable "with_key" {
  default = true
}

data "tencentcloud_availability_zones_by_product" "zones" {
  product = "cvm"
}

data "tencentcloud_images" "debian" {
  image_type = ["PUBLIC_IMAGE"]
  os_name    = "debian"
}

data "tencentcloud_instance_types" "small" {
  cpu_core_count   = 1
  memory_size      = 1
  exclude_sold_out = true

  filter {
    name   = "zone"
    values = ["ap-guangzhou-4"]
  }

  filter {
    name   = "instance-family"
    values = ["S5"]
  }
}

resource "tencentcloud_key_pair" "admin" {
  key_name   = "tf_admin"
  public_key = var.public_key
}

resource "tencentcloud_instance" "web" {
  count                      = 2
  instance_name              = "${var.name}-${count.index}"
  availability_zone          = "ap-guangzhou-4"
  image_id                   = data.tencentcloud_images.debian.images[0].image_id
  instance_type              = coalesce(var.instance_type, data.tencentcloud_instance_types.small.instance_types[0].instance_type)
  instance_charge_type       = "POSTPAID_BY_HOUR"
  system_disk_type           = "CLOUD_PREMIUM"
  system_disk_size           = var.disk_size
  allocate_public_ip         = true
  internet_charge_type       = "TRAFFIC_POSTPAID_BY_HOUR"
  internet_max_bandwidth_out = var.bandwidth
  key_ids                    = var.with_key ? [tencentcloud_key_pair.admin.id] : []
  user_data                  = base64encode("#!/bin/sh\necho ${count.index} >/root/number\n")
  disable_api_termination    = var.protected
  running_flag               = var.running
  force_stop                 = true
  force_delete               = true
}

output "zones" {
  value = sort(data.tencentcloud_availability_zones_by_product.zones.zones[*].name)
}

output "type" {
  value = data.tencentcloud_instance_types.small.instance_types[0].instance_type
}

output "machines" {
  value = { for machine in tencentcloud_instance.web : machine.instance_name => machine.id }
}

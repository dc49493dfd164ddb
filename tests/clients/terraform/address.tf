# A public address by itself, bound to one of two machines that have none of their own.
# tests/clients/test_terraform.py applies it, moves the address and destroys all.

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
  description = "Root domain and port of the shop's API: vpc.DOMAIN must lead there."
}

variable "public_key" {}

variable "name" {
  default = "front"
}

variable "bandwidth" {
  default = 5
}

variable "team" {
  default = "a"
}

variable "at" {
  description = "Which of the machines has the address."
  default     = 0
}

data "tencentcloud_images" "debian" {
  image_type = ["PUBLIC_IMAGE"]
  os_name    = "debian"
}

resource "tencentcloud_key_pair" "admin" {
  key_name   = "tf_address"
  public_key = var.public_key
}

resource "tencentcloud_instance" "bare" {
  count                = 2
  instance_name        = "bare-${count.index}"
  availability_zone    = "ap-guangzhou-4"
  image_id             = data.tencentcloud_images.debian.images[0].image_id
  instance_type        = "S5.SMALL1"
  instance_charge_type = "POSTPAID_BY_HOUR"
  system_disk_type     = "CLOUD_PREMIUM"
  system_disk_size     = 50
  key_ids              = [tencentcloud_key_pair.admin.id]
  force_delete         = true
}

resource "tencentcloud_eip" "front" {
  name                       = var.name
  internet_charge_type       = "BANDWIDTH_POSTPAID_BY_HOUR"
  internet_max_bandwidth_out = var.bandwidth
  tags                       = { team = var.team }
  depends_on                 = [tencentcloud_instance.bare]
}

resource "tencentcloud_eip_association" "front" {
  eip_id      = tencentcloud_eip.front.id
  instance_id = tencentcloud_instance.bare[var.at].id
}

output "address" {
  value = tencentcloud_eip.front.id
}

output "machines" {
  value = tencentcloud_instance.bare[*].id
}

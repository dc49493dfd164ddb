# A customer's configuration: what the shop offers is looked up; two machines of a placement group are bought with a key
# pair, in a subnet and a security group of their own; the first of them has a disk of its own.
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

variable "snapshot_name" {
  default = "before"
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

variable "tags" {
  default = { team = "shop" }
}

variable "group_name" {
  default = "tf-group"
}

variable "ingress" {
  default = ["ACCEPT#0.0.0.0/0#22#TCP", "ACCEPT#10.0.0.0/8#ALL#ALL"]
}

variable "with_group" {
  default = true
}

variable "vpc_name" {
  default = "tf-vpc"
}

variable "subnet_name" {
  default = "tf-subnet"
}

variable "placement_name" {
  default = "tf-apart"
}

variable "storage_name" {
  default = "tf-data"
}

variable "storage_size" {
  default = 20
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

resource "tencentcloud_vpc" "own" {
  name         = var.vpc_name
  cidr_block   = "10.7.0.0/16"
  is_multicast = false
  tags         = var.tags
}

resource "tencentcloud_subnet" "own" {
  name              = var.subnet_name
  vpc_id            = tencentcloud_vpc.own.id
  availability_zone = "ap-guangzhou-4"
  cidr_block        = "10.7.3.0/24"
  is_multicast      = false
  tags              = var.tags
}

resource "tencentcloud_security_group" "web" {
  name        = var.group_name
  description = "SSH from anywhere, all of the private networks"
  tags        = var.tags
}

resource "tencentcloud_security_group_lite_rule" "web" {
  security_group_id = tencentcloud_security_group.web.id
  ingress           = var.ingress
  egress            = ["ACCEPT#0.0.0.0/0#ALL#ALL"]
}

resource "tencentcloud_security_group" "other" {
  name = "tf-other"
}

resource "tencentcloud_placement_group" "apart" {
  name = var.placement_name
  type = "HOST"
  tags = var.tags
}

resource "tencentcloud_cbs_storage" "data" {
  storage_name      = var.storage_name
  storage_type      = "CLOUD_PREMIUM"
  storage_size      = var.storage_size
  availability_zone = "ap-guangzhou-4"
  charge_type       = "POSTPAID_BY_HOUR"
  force_delete      = true
  tags              = var.tags
}

resource "tencentcloud_cbs_snapshot" "data" {
  storage_id    = tencentcloud_cbs_storage.data.id
  snapshot_name = var.snapshot_name
  tags          = var.tags
}

resource "tencentcloud_cbs_storage" "copy" {
  storage_name      = "copy"
  storage_type      = "CLOUD_PREMIUM"
  storage_size      = 40
  availability_zone = "ap-guangzhou-4"
  charge_type       = "POSTPAID_BY_HOUR"
  snapshot_id       = tencentcloud_cbs_snapshot.data.id
  force_delete      = true
}

resource "tencentcloud_cbs_storage_attachment" "data" {
  storage_id  = tencentcloud_cbs_storage.data.id
  instance_id = tencentcloud_instance.web[0].id
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
  vpc_id                     = tencentcloud_vpc.own.id
  subnet_id                  = tencentcloud_subnet.own.id
  private_ip                 = "10.7.3.${10 + count.index}"
  orderly_security_groups    = [var.with_group ? tencentcloud_security_group.web.id : tencentcloud_security_group.other.id]
  placement_group_id         = tencentcloud_placement_group.apart.id
  tags                       = var.tags
  disable_api_termination    = var.protected
  running_flag               = var.running
  force_stop                 = true
  force_delete               = true

  data_disks {
    data_disk_type = "CLOUD_PREMIUM"
    data_disk_size = 20
  }
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

output "things" {
  value = {
    vpc       = tencentcloud_vpc.own.id
    subnet    = tencentcloud_subnet.own.id
    group     = tencentcloud_security_group.web.id
    other     = tencentcloud_security_group.other.id
    placement = tencentcloud_placement_group.apart.id
    disk      = tencentcloud_cbs_storage.data.id
    snapshot  = tencentcloud_cbs_snapshot.data.id
    copy      = tencentcloud_cbs_storage.copy.id
  }
}

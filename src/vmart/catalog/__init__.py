"""What is on sale where: regions, zones, instance types, images and their state in each zone.

Tables: applied, region, zone, instance_type, offer, image, zone_image. ``shop.snapshot()`` is the whole of it
as one frozen value, cached by the deployment's generation; ``document`` parses the seller's file.
"""

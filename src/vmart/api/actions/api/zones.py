"""api: DescribeZones of a product, as the service region has it too."""

from vmart.api.actions.region.places import DescribeZonesAnswer, Product, describe_zones
from vmart.api.declarations import Shape
from vmart.api.registry import PLACES, Action


class DescribeZones(Shape):
    """Zones of a product in the region of the call."""

    product: Product


ACTIONS = (Action("DescribeZones", DescribeZones, DescribeZonesAnswer, describe_zones, "api", PLACES, writes=False),)

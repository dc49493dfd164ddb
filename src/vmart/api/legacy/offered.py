"""Legacy: all actions, and the names of those that are not offered yet."""

from vmart.api.legacy import instances, life, prices, purchase, renewal, zones

_NOUNS = (zones, prices, purchase, instances, life, renewal)
ACTIONS = tuple(action for noun in _NOUNS for action in noun.ACTIONS)

# Published and not offered yet.
_OTHERS = """
RestartInstances ResizeInstance ResizeInstanceHour
UpdateInstanceBandwidth UpdateInstanceBandwidthHour DescribeImages DescribeKeyPairs DescribeDeals
DescribeAccountBalance ModifyInstanceAttributes ResetInstances
"""
PUBLISHED = {"cvm": {"": _OTHERS.split()}}

"""Private networks of customers and public addresses of zones.

Tables: vpc, subnet, private_address, public_address, ipv6_address, eip. Verbs (SQL): ``fn.network_claim_private``,
``network_claim_public`` and ``network_claim_ipv6`` give machines their addresses inside the purchase,
``network_free_private``, ``network_free_public`` and ``network_free_ipv6`` take them back, ``network_arrived`` and
``network_stayed`` end a machine's move; ``network_default_subnet`` makes an account's first network in a zone.
"""

"""Private networks of customers and public addresses of zones.

Tables: vpc, subnet, private_address, public_address. Verbs (SQL): ``fn.network_claim_private`` and
``network_claim_public`` give machines their addresses inside the purchase, ``network_free_private`` and
``network_free_public`` take them back, ``network_arrived`` and ``network_stayed`` end a machine's move;
``network_default_subnet`` makes an account's first network in a zone.
"""

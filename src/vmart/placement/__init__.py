"""Scarcity: what each host of a zone has, and which machine takes how much of it.

Tables: host, allocation. Verbs (SQL): ``fn.placement_claim`` finds room for an order's machines, ``placement_free``
gives it back, ``placement_shrink`` and ``placement_grow`` follow a stop without charge. ``rules.fits`` says the same
as the claim, purely, for what pages show as stock; ``explain`` counts which hosts each of its filters leaves.
"""

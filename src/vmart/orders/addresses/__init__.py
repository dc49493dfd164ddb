"""Public addresses with a life of their own: allocated, bound to machines, moved and given back (ADR 0050).

The shape is that of ``orders/disks``: ``own`` has what all acts on one begin and end with, each act has a file.
"""

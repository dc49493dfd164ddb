"""Snapshots of disks: made, given back to their disk, renamed and deleted by themselves (ADR 0051).

In the shape of ``orders/disks``: ``own`` has what all acts begin and end with, each act has a file.
"""

"""Disks: those that are bought with machines, system and data, and those with a life of their own (ADR 0039).
And customers' images, with whom they are shared (ADR 0052).

Tables: disk, image, image_share. Verbs (SQL): ``fn.storage_create`` and ``fn.storage_hold_image`` inside the purchase.
"""

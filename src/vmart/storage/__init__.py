"""Disks of machines, system and data, each bought with its machine and gone with it.

Table: disk. Verb (SQL): ``fn.storage_create`` inside the purchase. A disk of its own life is not sold yet.
"""

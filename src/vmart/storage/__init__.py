"""Disks: those that are bought with machines, system and data, and those with a life of their own (ADR 0039).

Table: disk. Verb (SQL): ``fn.storage_create`` inside the purchase.
"""

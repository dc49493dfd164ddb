"""Disks with a life of their own: bought, attached, detached and ended by themselves (ADR 0039).

The shape of anything that is sold beside machines: ``own`` has what all acts on it begin and end with, each act has a
file, and what every sold thing shares stands in ``orders/things.py`` and ``orders/holds.py``.
"""

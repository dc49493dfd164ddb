"""Brings machines to their desired state through their zone's engine; sees what a zone can do.

Owns no table. ``zone_engines.engine_of(zone)``, ``specs.load(instance ids)``; never inside a transaction.
"""

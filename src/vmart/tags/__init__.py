"""Tags of a customer's things: a key and a value, and from when to when the thing had them (ADR 0038).

Table: tag. ``modify.modify`` writes for a customer, ``fn.tags_begin`` inside a purchase,
``modify.end`` where a thing ends. Reads are SQL that others put into theirs: ``reads``. Nothing here moves money.
"""

"""The rules of this shop that are numbers: how long, how many, how much. The seller dates them in the catalog's file.

Table: version. ``policy.at(instant)`` is what held then, as one frozen value (``numbers.Policy``); ``document`` reads
the file's section (ADR 0025).
"""

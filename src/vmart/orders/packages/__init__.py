"""Acts on bandwidth packages: one speed that bought public addresses share, with an agreement of its own (ADR 0062).

``own.py`` is what they share. Which addresses are in one is told of an address: ``members.py``.
"""

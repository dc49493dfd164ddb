"""Money that comes in by card: top-ups, and orders paid outright.

Table: payment. Verbs: ``top_up.begin`` asks a provider for money, ``top_up.refresh`` looks at it again,
``webhook.receive`` takes a provider's message, ``poll.run`` looks at what nobody told us about. All
four end in ``record.record``, which turns an outcome into its one effect. A provider is one file in
``providers/`` behind ``providers/contract.py``.
"""

"""Money that comes in by card, and goes back to it: top-ups, orders paid outright, refunds.

Tables: payment, refund. Verbs: ``top_up.begin`` asks a provider for money, ``top_up.refresh`` looks at it again,
``webhook.receive`` takes a provider's message, ``poll.run`` looks at what nobody told us about. All
four end in ``record.record``, which turns an outcome into its one effect. ``to_card.give`` has money go back to the
card it came from; it, ``webhook.receive`` and ``refund_poll.run`` end in ``refunded.record``. A provider is one file
in ``providers/`` behind ``providers/contract.py``.
"""

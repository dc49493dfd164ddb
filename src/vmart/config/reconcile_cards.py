"""What ``vmart reconcile`` asks of card payments, and of what went back to cards (ADR 0075)."""

# (what is wrong, query whose rows are the differences)
CHECKS = (
    (
        "a card payment is not the top-up that the ledger has of it",
        """
        SELECT p.id, p.state, p.amount_minor, t.amount_minor AS booked FROM payments_payment p
        LEFT JOIN ledger_transfer t ON t.id = fn.kernel_transfer_id('payment', p.id::text, '')
        WHERE (p.state = 'succeeded') <> (t.id IS NOT NULL)
           OR p.amount_minor <> coalesce(t.amount_minor, p.amount_minor)
        """,
    ),
    (
        "a top-up by card has no payment",
        """
        SELECT t.id, t.account_id FROM ledger_transfer t WHERE t.kind = 'top_up' AND NOT EXISTS (
          SELECT FROM payments_payment p WHERE t.id = fn.kernel_transfer_id('payment', p.id::text, ''))
        """,
    ),
    (
        "a refund to a card is not what the ledger has set aside or moved for it",
        """
        SELECT r.id, r.state, r.amount_minor, h.state AS hold, h.cash_minor, t.amount_minor AS sent,
               b.amount_minor AS came_back
        FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
        LEFT JOIN ledger_hold h ON h.id = r.hold_id AND h.account_id = p.account_id
        LEFT JOIN ledger_transfer t ON t.id = r.hold_id AND t.kind = 'card_refund'
        LEFT JOIN ledger_transfer b ON b.id = fn.kernel_transfer_id('card_refund_failed', r.id::text, '')
        WHERE (h.cash_minor, h.gift_minor) IS DISTINCT FROM (r.amount_minor, 0::bigint)
           OR coalesce(t.amount_minor, r.amount_minor) <> r.amount_minor
           OR coalesce(b.amount_minor, r.amount_minor) <> r.amount_minor
           OR (h.state, t.id IS NOT NULL, b.id IS NOT NULL) NOT IN (VALUES
                ('pending', false, false), ('posted', true, false), ('posted', true, true), ('voided', false, false))
           OR CASE r.state WHEN 'succeeded' THEN h.state <> 'posted' OR b.id IS NOT NULL
                           WHEN 'failed' THEN h.state = 'pending' OR (h.state = 'posted' AND b.id IS NULL)
                           ELSE h.state <> 'pending' END
        """,
    ),
    (
        "what a payment says went back to its card is not what its refunds say",
        """
        SELECT p.id, p.refunded_minor, coalesce(r.total, 0) AS refunds FROM payments_payment p
        LEFT JOIN (SELECT payment_id, sum(amount_minor) AS total FROM payments_refund WHERE state <> 'failed'
                   GROUP BY 1) AS r ON r.payment_id = p.id
        WHERE p.refunded_minor <> coalesce(r.total, 0)
        """,
    ),
    (
        "the ledger has given back to a card what no refund says",
        """
        SELECT t.id, t.account_id, t.kind, t.amount_minor FROM ledger_transfer t
        WHERE t.kind IN ('card_refund', 'card_refund_failed') AND NOT EXISTS (
          SELECT FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id AND p.account_id = t.account_id
          WHERE r.id = t.subject_id AND (t.kind = 'card_refund_failed' OR r.hold_id = t.id))
        """,
    ),
    (
        "a refund to a card is under way and nothing works on it",
        """
        SELECT r.id, r.state FROM payments_refund r WHERE r.resolved_at IS NULL AND NOT EXISTS (
          SELECT FROM worker_operation w WHERE w.kind = 'card_refund' AND w.subject_id = r.id)
        """,
    ),
)

"""Work that outlives a request: a queue of rows, claimed under leases, done in idempotent steps.

Table: operation. ``loop.Worker`` runs the steps that config hands it by operation kind; ``queue``
enqueues; ``clock_control`` moves a test clock through everything that is due. No broker.
"""

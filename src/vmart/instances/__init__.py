"""The machine that a customer owns: what it is, its state, what happened to it; and key pairs.

Tables: instance, event, key_pair. Verbs (SQL): ``fn.instances_create`` inside the purchase, ``instances_delivered`` and
``instances_launch_failed`` at its outcome, ``instances_events`` for what its owner reads. A machine ends as GONE; its
row stays, because bills name it. What may be done in which state is the acts' own, in ``orders``.
"""

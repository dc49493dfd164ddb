"""The machine that a customer owns: what it is, its state, the password that the shop made for it; and key pairs.

Tables: instance, sealed_password, key_pair. Verbs (SQL): ``fn.instances_create`` inside the purchase,
``instances_delivered`` and ``instances_launch_failed`` at its outcome. A machine ends as GONE; its row stays, because
bills name it. What may be done in which state is the acts' own, in ``orders``.
"""

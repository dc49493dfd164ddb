"""Consoles of machines in a browser: who may open one, by a ticket that counts once, and for how long (ADR 0066).

Table: console. Verbs: ``tickets.make``, ``tickets.use``, ``watch.look``, ``watch.close``, ``watch.sweep``. The gateway
itself is a process (``config/console_main.py``). Nothing here moves money.
"""

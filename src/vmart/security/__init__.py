"""Security groups: which packets reach a customer's machines and leave them.

Table: group, with its rules. Verbs: ``change.create``, ``rename``, ``delete`` and those of rules;
``compiled.of_subnet`` says what an engine is told of machines; ``told.send`` queues that it is told.
``fn.security_missing_group`` is asked by the purchase. Nothing here moves money (ADR 0043).
"""

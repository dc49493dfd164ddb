"""Money, time, ids, errors, database access and secrets: what every room stands on.

Owns the table ``kernel_deployment`` (one row: currency, billing zone, test clock).
Knows no other room. ``money`` and ``clock`` import neither Django nor psycopg.
"""

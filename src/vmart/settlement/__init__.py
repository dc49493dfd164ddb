"""The hourly close, arrears, and what they end.

Tables: hour, stuck. Verbs: ``close.run`` (operation ``close_hour``), ``arrears.run``. The close is one
statement a batch of accounts (``sql/functions.sql``), proven equal to the pure rule.
"""

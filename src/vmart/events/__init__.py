"""What happened, when, to what, and who had it done: one table for owners, the seller and programs that follow.

Tables: event (partitioned by month). Verbs: ``record.write``, in SQL ``events_write``. An act writes its events in its
own transaction and calls nobody: whoever wants to be told reads the table. Imports kernel only.
"""

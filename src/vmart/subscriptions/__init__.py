"""What an account has bought and goes on paying for: the agreement of a machine, of a disk.

Tables: subscription (an agreement; what is priced, held and binned as one is a bundle, and its head keeps the dates),
item (the terms: what is charged how). The thing itself (``instances``, ``storage``) has the agreement's id.
Verbs (SQL): ``fn.subscriptions_open``, ``_started``, ``_counted``, ``_in_bin``. Moves no money and tells no engine.
"""

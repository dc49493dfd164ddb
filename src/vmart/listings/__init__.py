"""Reads across rooms for page and API: one query a list, every list a page at a time.

No tables, no verbs. For the API: ``machines``, ``disks``, ``networks``, ``security_groups``, ``keys``, ``stock``,
``balance`` give the plain values of ``views``. For the pages: ``prices`` what is on sale where, ``overview`` machines
and money of an account, ``orders``, ``charges``, ``sales`` the seller's view, ``attention`` all that needs him.
``paging`` cuts the pages' lists by key, never by offset; the API's by offset, as its clients ask.
"""

"""What every page is made of, the customer's and the seller's: frame, words, tables, forms, facts, confirmation.

No addresses and no tables of its own. ``templates/pages/frame.html`` is what pages extend, ``wording`` has the words
for codes of the database, ``messages`` keeps the Chinese catalogue.
"""

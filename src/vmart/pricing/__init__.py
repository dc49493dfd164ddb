"""Price books by effective date, and quotes: what a configuration costs, line by line.

Tables: book, rate. Verbs: ``quote.quote``, ``books.current_book``, ``books.publish``. ``rules.py`` and
``book.py`` are pure: page, API, order and (proven equal) the settlement SQL use them.
"""

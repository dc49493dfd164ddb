"""From an empty shop to its first sale, in a browser: questions whose answers are a catalog file (ADR 0069).

``answers.py`` keeps what was said, ``document.py`` makes the file of it, pure; ``forms.py`` and ``pages.py`` ask;
``trial.py`` is the seller's own test order.
"""

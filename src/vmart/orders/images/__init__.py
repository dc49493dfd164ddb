"""Images of customers (ADR 0052): a file an act, on ``own.py``; ``chosen.py`` says which image an id is."""

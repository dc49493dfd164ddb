"""What the tests stand on: one throw-away PostgreSQL a run, a clock that obeys, running shops, no internet."""

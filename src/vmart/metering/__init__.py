"""Usage, as it happened: which component of a machine ran under which price from when to when, and bytes sent.

Tables: segment, counter, sample, horizon. Verbs (SQL): ``fn.metering_instant`` gives the instant at which an act may
begin or end usage, never in an hour that is closed; ``metering_start``, ``metering_end``, ``metering_resume`` write
segments, ``metering_count`` byte samples. Says nothing of money: prices are looked up when the hour is closed.
"""

"""Every act with money or capacity, one file an act: purchase, deliver, stop, start, reboot, terminate, return.

Tables: order, line, idempotency, engine_drift. Each act opens the one transaction in which its money, rows and
queue entry change together, account lock first; the engine is called by the worker, outside of it.
"""

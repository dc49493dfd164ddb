"""Legacy v2 (``/v2/index.php``): purchase, price and life of machines in camelCase, over the same acts.

A machine is asked for by ``cpu`` and ``mem``; the first type of that size that the zone sells is taken.
Prices are whole minor units (prepaid) or text in currency units (hourly); times are of UTC+8.
"""

"""Where people come in: sign-up, purchase page, console, billing.

No tables. ``choice`` reads the purchase form, ``offer`` lays out what it shows, ``shown_quote`` signs the
price, ``views/`` answers one address each. Every act is a function of ``orders``; nothing is decided here.
Templates stand on the room ``pages``, as the seller's do.
"""

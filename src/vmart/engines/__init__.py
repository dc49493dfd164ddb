"""Makes machines: one contract, one file or folder per driver, none knows another.

Owns no table. Verbs: see ``contract.Engine``. Imports kernel only.
"""

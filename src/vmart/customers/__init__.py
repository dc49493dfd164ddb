"""Users, accounts, members, API keys, quotas.

Tables: user, account, member, api_key. Verbs: ``accounts.create``, ``api_keys.create/find/disable``.
Account is not User: a member joins them.
"""

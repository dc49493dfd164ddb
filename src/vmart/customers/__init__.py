"""Users, accounts, members, API keys, quotas.

Tables: user, account, member, api_key, quota, quota_default. Verbs: ``accounts.create``, ``api_keys.create/find``,
``quotas.of/keep``.
Account is not User: a member joins them.
"""

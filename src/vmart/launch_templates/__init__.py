"""Launch templates: a purchase that is kept under a name, in versions, to be bought again.

Tables: template, version. Verbs: ``keep.create``, ``keep.add_version``, ``change.make_default``, ``change.delete``,
``change.delete_versions``, ``held.version``. Nothing here moves money: who buys from a template buys as anybody does
(ADR 0037).
"""

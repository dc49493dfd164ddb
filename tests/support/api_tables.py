"""Brings ``docs/not_offered.json``, ``docs/actions.md`` and ``docs/reference`` up to what is declared and published.

Run ``python -m tests.support.api_tables`` in the development environment, then write the reasons that it leaves empty.
"""

import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmart.config.settings")
    os.environ.setdefault("VMART_MASTER_KEY", "00" * 32)
    os.environ.setdefault("VMART_DATABASE_URL", "host=/nonexistent")
    django.setup()
    from tests.support import api_pages, api_reference, published_members

    published_members.write()
    api_reference.write()
    api_pages.write()

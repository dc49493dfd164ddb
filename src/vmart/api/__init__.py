"""The wire: Tencent Cloud API 3.0 (TC3 and signature v1) and the legacy v2 API, for programs.

``wire.wsgi.api_application`` answers; a request goes through ``wire`` (``signatures``, ``authentication``,
``decoding``), ``registry`` and ``declarations`` to one action (``actions/<service>/<noun>.py``, ``legacy/<noun>.py``),
and back through ``wire.envelope``. Owns the tables ``api_nonce`` (requests seen) and ``api_rate`` (calls of this
second). Opens no transaction; every act belongs to the rooms below.
"""

"""The wire: Tencent Cloud API 3.0 (TC3 and signature v1) and the legacy v2 API, for programs.

``wsgi.api_application`` answers; a request goes through ``signatures``, ``authentication``, ``registry``,
``decoding`` and ``declarations`` to one action function (``actions/<service>/<noun>.py``, the older ones in files of
this folder), and back through ``envelope``. Owns the tables ``api_nonce`` (requests seen) and ``api_rate`` (calls of
this second). Opens no transaction; every act belongs to the rooms below.
"""

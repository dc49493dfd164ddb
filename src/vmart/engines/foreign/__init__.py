"""Systems that customers bring: what kind of file one is, and what of it may reach an engine.

An engine unpacks what it is given as root of its host. So a file is never handed on as it came: of an archive another
one is written that has only what was understood (``rootfs.py``), and a disk that leads to files beside it is refused
(``qcow2.py``).
"""

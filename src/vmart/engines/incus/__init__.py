"""The Incus driver: REST over a unix socket or TLS, and the private daemon where there is none.

driver.py is the contract's verbs; client.py the wire; network.py and firewall.py private networks,
public addresses, caps and counters; seed.py what cloud-init reads; image.py images on a server,
build.py their making; daemon.py and packages.py the private daemon; capability.py what a member can.
"""

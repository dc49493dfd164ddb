"""The nonces of requests already seen: written by the API helper."""

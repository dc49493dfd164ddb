"""The wire, from signature to envelope."""

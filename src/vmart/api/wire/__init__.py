"""From the bytes of a request to an action and back: reading, signatures, rates, envelope."""

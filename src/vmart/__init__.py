"""vmart sells cloud virtual machines on the seller's own hosts."""

__version__ = "0.1.0"

"""The seller's side: pages, and applying a catalog file. Owns no table."""

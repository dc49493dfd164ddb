"""Template tags of the purchase page."""

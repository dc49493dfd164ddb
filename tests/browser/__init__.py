"""The pages in a real Chromium against a running shop."""

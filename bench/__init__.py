"""Benchmarks: ``bin/bench NAME`` runs one; its last line is one JSON object of its figures.

Figures are medians of at least three runs and ratios within one run: the machines they run on are
shared and noisy.
"""

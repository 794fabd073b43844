"""Ratios against named baselines; see docs/performance.md."""

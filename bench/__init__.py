"""Benchmarks, runnable by anyone: `make bench`."""

"""Gossamer: generators learned from private data, released under differential privacy."""

"""Presets: published settings and our own, as frozen configurations."""

"""Methods: a folder each, from settings to a trained generator."""

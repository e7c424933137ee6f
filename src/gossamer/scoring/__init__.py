"""Evaluations: targets, the loop over draws, seeds and scores, and the folder of results. Nothing here prints."""

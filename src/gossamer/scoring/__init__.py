"""Evaluations: what is scored, the loop over draws, seeds and scores, and the folder of results; prints nothing."""

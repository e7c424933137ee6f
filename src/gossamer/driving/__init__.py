"""Trainings driven to their release, run folders examined and priced: prints nothing, and calls back."""

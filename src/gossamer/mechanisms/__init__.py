"""The only code that touches a private gradient; each part states its guarantee."""

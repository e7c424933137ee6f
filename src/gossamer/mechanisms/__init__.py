"""The only code that touches a private gradient or sum. Each part states its guarantee."""

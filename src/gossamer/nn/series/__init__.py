"""Networks that draw and score series in time."""

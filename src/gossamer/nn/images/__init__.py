"""Networks that draw and score images."""

"""The report: one HTML file about a release that can be handed over, and a private one for its makers."""

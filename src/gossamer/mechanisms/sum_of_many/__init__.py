"""The Poisson sum of critics: each of many critics is included by a coin of its own, and their answers are summed."""

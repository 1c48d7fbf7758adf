"""Sensing: readings of devices become episodes, and an episode becomes one case."""

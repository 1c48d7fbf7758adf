"""The ground: what every package stands on. Imports nothing of the project."""

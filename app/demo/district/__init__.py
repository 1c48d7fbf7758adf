"""The static district, pure and seeded: real divisions and outline; cells, organisations, people made up."""

from datetime import UTC, datetime

FOUNDED = datetime(2024, 1, 1, tzinfo=UTC)
"""From when the made-up district exists, so that all demo activity falls into its time."""

SEED = 330109

MADE_UP = "made-up"

"""Activity of the demo: cases, visits and readings of the past days, made up by seeded generators, played by rules."""

from app.demo.activity.loading import load

__all__ = ["load"]

"""Matters of the district: cases, the sensors and channels they come from, campaigns."""

"""Places, organisations, people and duty: which cell a point is in, who owns work there, who is on duty."""

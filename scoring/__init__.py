"""Figures computed from facts: scores of teams now; indicators, warnings and reports later."""

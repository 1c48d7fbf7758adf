"""Evaluation of teams, force units, towns and departments: a score opens down to its facts and comes out again."""

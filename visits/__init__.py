"""Field work: households, rounds by day and by night, visits, and the sync of phones that were offline."""

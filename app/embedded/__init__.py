"""Private PostGIS and Valkey servers of one folder, for demo and tests; other servers on the machine stay untouched."""

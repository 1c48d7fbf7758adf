"""Steps of the schema, run for every district by `runner`."""

"""The top floor puts things together and decides nothing; below it identity and kernel."""

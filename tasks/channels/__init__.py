"""Channels: one file each, all translating to the one door `tasks.cases.intake`."""

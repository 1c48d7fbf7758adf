"""Notices (提醒): one notice per thing, in the inbox of a person or desk, and out through the channels that are on."""

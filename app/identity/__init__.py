"""Accounts, tokens, devices, keys, and the one function that says who may do what to which object."""

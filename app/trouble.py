"""Trouble of the operator's: one sentence that says what is wrong and what to do, shown without a traceback."""

import click


class Trouble(click.ClickException):
    """Something the person at the keyboard can put right (a missing package, an occupied port, a stopped database).

    The message is one sentence in plain words; the command line prints it after `Error:` and ends with exit code 1.
    """

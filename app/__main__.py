"""`python -m app` is `zjw`."""

from app.cli import main

main(prog_name="zjw")

"""`zjw docs`: the parts of the documentation that are made from the code, written or compared."""

from pathlib import Path

import click

from app.trouble import Trouble


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail when a page is not up to date.")
def command(check: bool) -> None:
    """Write docs/generated from the code, or check that it is up to date."""
    from app import documents  # builds the whole application

    folder = Path(__file__).resolve().parents[2] / "docs" / "generated"
    stale: list[str] = []
    for name, text in documents.pages().items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        raise Trouble(f"docs/generated is not up to date ({', '.join(stale)}): run `zjw docs` and commit the result.")
    click.echo(f"{len(stale)} pages {'to write' if check else 'written'}")

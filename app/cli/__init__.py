"""The command line `zjw`: one file a topic, loaded only when called for, so that `zjw --help` stays instant."""

from importlib import import_module

import click

COMMANDS: dict[str, str] = {
    "backup": "backup",
    "calendar": "calendar",
    "cases": "cases",
    "catalogue": "catalogue",
    "crs": "crs",
    "demo": "demo",
    "grid": "grid",
    "handover": "handover",
    "households": "households",
    "keys": "keys",
    "jt808": "jt808",
    "sensing": "sensing",
    "deadline": "deadline",
    "district": "district",
    "docs": "docs",
    "doctor": "doctor",
    "migrate": "migrate",
    "outbox": "outbox",
    "photo": "photo",
    "restore": "restore",
    "route": "route",
    "rules": "rules",
    "run": "run",
    "score": "score",
    "serve": "serve",
    "services": "services",
    "settings": "settings",
    "status": "status",
    "stop": "stop",
    "trail": "trail",
    "worker": "worker",
}
"""Sub-command → module below `app.cli` that offers it as `command`."""


class Topics(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The topics by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a topic, imported now."""
        topic = COMMANDS.get(cmd_name)
        return None if topic is None else import_module(f"{__name__}.{topic}").command


@click.command(cls=Topics, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """综警网: the platform of a district's field forces."""

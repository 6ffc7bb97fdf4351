"""The `waypost` command: a table of commands, each imported only when it is called.

So `waypost links` and `waypost keys` work in the bare install, and a command that needs more says which extra has it.
"""

import importlib
from dataclasses import dataclass

import click

from waypost import __version__


@dataclass(frozen=True, slots=True)
class _Mounted:
    target: str
    """module:attribute of the click command."""
    summary: str
    """Empty: it is not listed; other commands run it."""
    extra: str | None = None
    """The extra that has what the command imports; None: the bare install has it."""


COMMANDS = {
    "links": _Mounted("waypost.cli.links:links", "Rewrite a message's links, or see what a tracked link says."),
    "keys": _Mounted("waypost.cli.keys:keys", "Create, add, list and export the keys that seal links."),
    "config": _Mounted("waypost.cli.config:config", "Show, explain or check the settings."),
    "up": _Mounted("waypost.cli.up:up", "Run everything on this machine: API, mail, pipeline, edge.", "server"),
    "edge": _Mounted("waypost.cli.edge:edge", "Serve redirects on this machine: an agent and N workers.", "edge"),
    "edge-worker": _Mounted("waypost.cli.edge_worker:edge_worker", "", "edge"),
    "agent": _Mounted("waypost.cli.agent:agent", "Tell how this machine's edge is; `up` and `edge` run it.", "edge"),
    "spool": _Mounted("waypost.cli.spool:spool", "Account for clicks, check their files, read them again.", "edge"),
    "caddyfile": _Mounted("waypost.cli.caddyfile:caddyfile", "Print the TLS front's configuration."),
    "core": _Mounted("waypost.cli.core:core", "Run the API, mail and pipeline, without edges.", "server"),
    "api-worker": _Mounted("waypost.cli.api_worker:api_worker", "", "server"),
    "accounts": _Mounted(
        "waypost.cli.accounts:accounts", "Create, approve, reject, suspend and list accounts.", "server"
    ),
    "profiles": _Mounted("waypost.cli.profiles:profiles", "Create, show and verify sending profiles.", "server"),
    "edges": _Mounted("waypost.cli.edges:edges", "Register, list and remove edges on machines of their own.", "server"),
    "block": _Mounted("waypost.cli.block:block", "Switch links off, and on again.", "server"),
    "link-domains": _Mounted(
        "waypost.cli.link_domains:link_domains", "List, publish and release link domains.", "server"
    ),
    "geoip": _Mounted("waypost.cli.geoip:geoip", "Fetch the databases that tell where readers are.", "server"),
    "who": _Mounted("waypost.cli.who:who", "Did she click? Every send to an address, with its clicks.", "server"),
    "events": _Mounted(
        "waypost.cli.events:events", "Show events as they are stored; work out anew what they tell.", "server"
    ),
    "erase": _Mounted("waypost.cli.erase:erase", "Erase every trace of a recipient's address.", "server"),
    "api-keys": _Mounted("waypost.cli.api_keys:api_keys", "Create, list and revoke API keys.", "server"),
}


class _LazyGroup(click.Group):
    """A group whose help is printed from the table, without importing a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return [name for name, mounted in COMMANDS.items() if mounted.summary]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        mounted = COMMANDS.get(cmd_name)
        if mounted is None:
            return None
        module, _, attribute = mounted.target.partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if mounted.extra is None or (error.name or "").partition(".")[0] == "waypost":
                raise
            raise click.UsageError(
                f"waypost {cmd_name} needs {error.name}, which is not installed: "
                f"`pip install '.[{mounted.extra}]'` in a checkout of Waypost brings it."
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{mounted.target} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, mounted.summary) for name, mounted in COMMANDS.items() if mounted.summary])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="waypost", message="%(prog)s %(version)s")
def main() -> None:
    """Click tracking for email: links that carry their own destination.

    Start with `waypost up`; `waypost COMMAND --help` explains a command, `waypost config defaults` every setting.
    Settings are taken from a file in TOML (--config) and from environment variables: WAYPOST_SECTION__KEY.

    \b
    Exit codes:
      0  done
      1  it could not be done; the message says why
      2  wrong usage: an unknown option, a wrong setting, or a missing extra
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines

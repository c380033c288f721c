"""``python -m ops <command>``: what an operator does to a running system.

A command's module is imported only when it is asked for, so that one that
cannot load does not take the others with it.
"""

import argparse
import importlib
import sys

from bus.settings import SettingError, give_up

COMMANDS = {
    "up": ("ops.local.up", "start the local system, or what is missing of it"),
    "down": ("ops.local.down", "drain and stop the local system; data stays"),
    "scale": ("ops.local.scale", "change how many processes of a type run"),
    "status": ("ops.local.status", "list servers and processes"),
    "migrate": ("ops.migrate", "bring stores and broker to what this code expects"),
    "docker-env": ("ops.local.docker_env", "print a new .env for docker compose"),
    "verify": ("ops.verify", "check the lines that must never break"),
    "order": ("ops.story", "tell one order's story"),
    "dead": ("ops.dead", "list, show and redeliver dead letters"),
    "asyncapi": ("ops.asyncapi", "write docs/asyncapi.json from the code"),
    "rebuild-views": ("ops.rebuild_views", "have every owner say its state again"),
    "rotate-keys": ("ops.rotate_keys", "have the next signing key made now"),
    "chaos": ("ops.chaos", "kill processes under load; nothing may be lost"),
    "bench": ("ops.bench", "measure"),
}


def main(arguments: list[str]) -> int:
    """Dispatch; 2 for a command that is not known, as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    # Only the command that was asked for is imported and fills in its options.
    asked = next((word for word in arguments if word in COMMANDS), None)
    for name, (module_name, summary) in COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary)
        if name == asked:
            module = importlib.import_module(module_name)
            module.configure(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except SettingError as error:
        give_up(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m ops dead``: list, show, replay, explain and drop dead letters.

A replay publishes the message to the queue that it died in and waits for the broker's confirm; only
then is the letter acknowledged. Killed in between, it is there twice, and the inbox handles it
once. What the bus and the broker noted about its death is taken off: it starts afresh. Whatever is
done to a letter leaves a line in `log/audit.log`.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError, UnroutableError
from rich.console import Console
from rich.table import Table

from bus.topology import RETURN
from ops import audit, letters
from ops.letters import Letter
from ops.stores import Stores, at_hand

_OF_ITS_DEATH = ("x-foyer-", "x-death", "x-first-death-", "x-last-death-", "x-delivery-count")


@dataclass(frozen=True)
class Group:
    """Letters that died the same death."""

    name: str
    letters: list[Letter]

    @property
    def id(self) -> str:
        """A short name for the command line."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:8]


def groups(found: Iterable[Letter]) -> list[Group]:
    """Gather letters by where, why and what died; the largest group first."""
    gathered: dict[str, list[Letter]] = {}
    for letter in found:
        gathered.setdefault(letter.group, []).append(letter)
    return sorted((Group(*each) for each in gathered.items()), key=lambda g: -len(g.letters))


def wanted(letter: Letter, ids: Sequence[str]) -> bool:
    """Whether a letter is named by its message id or by its group's id."""
    return letter.message_id in ids or Group(letter.group, []).id in ids


def replay(stores: Stores, ids: Sequence[str] | None) -> tuple[int, int]:
    """Send letters back to where they died; None for all. Return how many were, and were not."""
    sent = failed = 0
    for service in letters.services(stores):
        with letters.opened(stores, service) as tray:
            tray.channel.confirm_delivery()
            for letter in tray.letters:
                if ids is not None and not wanted(letter, ids):
                    continue
                if _send_back(tray.channel, letter):
                    _audit("replay", letter)
                    tray.settle(letter)
                    sent += 1
                else:
                    failed += 1
    return sent, failed


def _send_back(channel: BlockingChannel, letter: Letter) -> bool:
    """Publish with a confirm; False when there is no such queue or it refuses."""
    kept = {
        name: value for name, value in letter.headers.items() if not name.startswith(_OF_ITS_DEATH)
    }
    properties = pika.BasicProperties(
        content_type=letter.properties.content_type,
        message_id=letter.properties.message_id,
        type=letter.properties.type,
        delivery_mode=2,
        headers=kept,
    )
    try:
        channel.basic_publish(RETURN, letter.queue, letter.body, properties, mandatory=True)
    except (UnroutableError, NackError) as error:
        sys.stderr.write(
            f"{letter.message_id}: queue {letter.queue!r} does not take it: {error!r}\n"
        )
        return False
    return True


def drop(stores: Stores, ids: Sequence[str]) -> int:
    """Throw letters away; return how many."""
    dropped = 0
    for service in letters.services(stores):
        with letters.opened(stores, service) as tray:
            for letter in tray.letters:
                if wanted(letter, ids):
                    # The line first: a letter that is gone without one could not be told of.
                    _audit("drop", letter, body=letter.body.decode(errors="replace"))
                    tray.settle(letter)
                    dropped += 1
    return dropped


def explain(stores: Stores, ids: Sequence[str], why: str) -> int:
    """Say why letters may stay where they are; `verify` takes that for an answer."""
    named = [each for each in letters.all_letters(stores) if wanted(each, ids)]
    for letter in named:
        _audit("explain", letter, why=why)
    return len(named)


def _audit(action: str, letter: Letter, **more: str) -> None:
    """Who did what to which letter, and when; on disk before anything else happens."""
    audit.note(
        action,
        message_id=letter.message_id,
        type=letter.type,
        service=letter.service,
        queue=letter.queue,
        code=letter.code,
        **more,
    )
    sys.stdout.write(f"{action} {letter.message_id} {letter.type} ({letter.queue})\n")


def _told(letter: Letter) -> dict[str, object]:
    """A letter whole, as JSON."""
    return {
        "message_id": letter.message_id,
        "type": letter.type,
        "service": letter.service,
        "queue": letter.queue,
        "code": letter.code,
        "error": letter.error,
        "died_at": letter.died_at,
        "group": Group(letter.group, []).id,
        "headers": letter.headers,
        "message": letter.document or letter.body.decode(errors="replace"),
    }


def _list(stores: Stores, args: argparse.Namespace) -> int:
    found = groups(letters.all_letters(stores))
    rows = [_row(group) for group in found]
    if args.json:
        _write(rows)
        return 0
    if not rows:
        sys.stdout.write("no dead letters\n")
        return 0
    table = Table(title="Dead letters")
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*[str(value) for value in row.values()])
    Console().print(table)
    return 0


def _row(group: Group) -> dict[str, object]:
    first = group.letters[0]
    times = sorted(each.died_at for each in group.letters if each.died_at)
    return {
        "group": group.id,
        "count": len(group.letters),
        "queue": first.queue or f"{first.service} (unknown)",
        "code": first.code,
        "type": first.type,
        "error": first.error,
        "detail": first.detail,
        "oldest": f"{times[0]:%Y-%m-%d %H:%M:%S}" if times else "",
        "newest": f"{times[-1]:%Y-%m-%d %H:%M:%S}" if times else "",
        "example": first.message_id,
    }


def _show(stores: Stores, args: argparse.Namespace) -> int:
    found = [_told(each) for each in letters.all_letters(stores) if wanted(each, args.ids)]
    _write(found if len(found) != 1 else found[0])
    return 0 if found else 1


def _replay(stores: Stores, args: argparse.Namespace) -> int:
    if bool(args.ids) == args.all:
        sys.stderr.write("name message ids or group ids, or --all\n")
        return 2
    sent, failed = replay(stores, None if args.all else args.ids)
    sys.stdout.write(f"{sent} replayed, {failed} not\n")
    return 1 if failed or not (sent or args.all) else 0


def _drop(stores: Stores, args: argparse.Namespace) -> int:
    if not args.yes:
        sys.stderr.write("a dropped letter is gone for good: say --yes\n")
        return 2
    return 0 if drop(stores, args.ids) else 1


def _explain(stores: Stores, args: argparse.Namespace) -> int:
    return 0 if explain(stores, args.ids, args.why) else 1


def _write(value: object) -> None:
    text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode()
    sys.stdout.write(text + "\n")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``dead``."""
    does = parser.add_subparsers(dest="what", metavar="what", required=True)
    sub = does.add_parser("list", help="how many died of what")
    sub.add_argument("--json", action="store_true")
    sub.set_defaults(act=_list)
    sub = does.add_parser("show", help="letters whole, with their headers")
    sub.add_argument("ids", nargs="+", metavar="ID")
    sub.set_defaults(act=_show)
    sub = does.add_parser("replay", help="send letters back to where they died")
    sub.add_argument("ids", nargs="*", metavar="ID", help="a message's id or a group's")
    sub.add_argument("--all", action="store_true")
    sub.set_defaults(act=_replay)
    sub = does.add_parser("explain", help="say why letters may stay; verify accepts it")
    sub.add_argument("ids", nargs="+", metavar="ID")
    sub.add_argument("--why", required=True)
    sub.set_defaults(act=_explain)
    sub = does.add_parser("drop", help="throw letters away")
    sub.add_argument("ids", nargs="+", metavar="ID")
    sub.add_argument("--yes", action="store_true")
    sub.set_defaults(act=_drop)


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 when there was no such letter."""
    with at_hand() as stores:
        return int(args.act(stores, args))

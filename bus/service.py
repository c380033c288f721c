"""A service: what it hears, and what a handler may do while it hears it.

    order = Service[Connection]("order", Postgres())

    @order.handles(PlaceOrder)
    def place(command: PlaceOrder, tx: Transaction[Connection]) -> None: ...

Registering is the only step: the queue's bindings are read from the registry.

Four ways to fail:

    Refused             what a handler raises on purpose
    ├── NotYet          a fact that should arrive shortly; tried again for 5 s, then a refusal
    └── Refusal         the business says no; answered with the command's own event
    any other           a fault: retried, then dead-lettered
    (malformed)         never reaches a handler
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from uuid import UUID

from bus.envelope import Envelope, Outgoing, envelope_of, outgoing
from bus.ids import new_id
from schemas.message import Message

if TYPE_CHECKING:
    from bus.runner import Runner
    from bus.stores import Store

DB = TypeVar("DB")
M = TypeVar("M", bound=Message)
Queue = Literal["commands", "events", "long"]
"""What a service hears from; what takes long waits in a queue of its own, if a service has such."""
_INHERIT = UUID(int=0)


class Refused(Exception):  # noqa: N818  # An answer, not an error.
    """A handler says no, on purpose; see the module's docstring."""

    def __init__(self, code: str, detail: str = "", **more: object) -> None:
        """Say which of the problem codes it is, what a person should know, and any other fields."""
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.more = more


class Refusal(Refused):
    """The business says no: answered with an event, never retried."""


class NotYet(Refused):
    """A fact known only from events has not arrived; a refusal when it does not within 5 s."""


@dataclass
class Work:
    """What one store transaction gathers over all the messages of its batch."""

    envelopes: Sequence[Envelope] = ()
    emitted: list[Outgoing] = field(default_factory=list)
    collapsed: dict[tuple[str, str], Outgoing] = field(default_factory=dict)
    memory: dict[Any, Any] = field(default_factory=dict)
    finishing: list[Callable[[], None]] = field(default_factory=list)
    committed: list[Callable[[], None]] = field(default_factory=list)

    @cached_property
    def messages(self) -> Sequence[Message]:
        """What the envelopes hold."""
        return [each.data for each in self.envelopes]

    def finish(self) -> list[Outgoing]:
        """Run what was left for the end; return all that is to be said, each message once."""
        while self.finishing:
            self.finishing.pop(0)()
        return list({each.id: each for each in (*self.emitted, *self.collapsed.values())}.values())

    def has_committed(self) -> None:
        """Run what was left for after the commit."""
        for function in self.committed:
            function()


class Transaction(Generic[DB]):
    """One message's view of the open store transaction."""

    def __init__(self, db: DB, source: str, work: Work, cause: Envelope | None) -> None:
        """Made by the runner, once for each message."""
        self.db = db
        self.memory = work.memory
        """Shared by the messages of one batch, gone with its transaction."""
        self.causes = work.envelopes
        """All messages of the batch with their contexts,"""
        self.batch = work.messages
        """and without: so that what they need can be read at once."""
        self.now = datetime.now(UTC)
        self._source = source
        self._work = work
        self._cause = cause

    @property
    def cause(self) -> Envelope:
        """The message that is being handled.

        Raises:
            LookupError: this is a transaction of the service's own, outside any message.
        """
        if self._cause is None:
            msg = "no message caused this transaction"
            raise LookupError(msg)
        return self._cause

    def new_id(self) -> UUID:
        """Mint an id (UUIDv7)."""
        return new_id()

    def emit(
        self,
        message: Message,
        *,
        operation_id: UUID | None = _INHERIT,
        user_id: UUID | None = _INHERIT,
        collapse: bool = False,
    ) -> None:
        """Say a message, if and when this transaction commits.

        The operation and the user are the cause's unless given. With `collapse`, only the last
        one of its type and subject in this batch is said.
        """
        cause = self._cause
        said = outgoing(
            envelope_of(
                message,
                source=self._source,
                operation_id=(
                    (cause.operation_id if cause else None)
                    if operation_id is _INHERIT
                    else operation_id
                ),
                user_id=(cause.user_id if cause else None) if user_id is _INHERIT else user_id,
                causation_id=cause.id if cause else None,
                traceparent=cause.traceparent if cause else None,
            )
        )
        if collapse:
            self._work.collapsed[message.TYPE, message.subject] = said
        else:
            self._work.emitted.append(said)

    def forward(self, envelope: Envelope) -> None:
        """Send a message again as it was, under its own id."""
        self._work.emitted.append(replace(outgoing(envelope), again=True))

    def before_commit(self, function: Callable[[], None]) -> None:
        """Run `function` once, after the batch's last message and before the commit."""
        self._work.finishing.append(function)

    def after_commit(self, function: Callable[[], None]) -> None:
        """Run `function` once this transaction has committed, unless the process dies between.

        It must not raise: what was committed is done, and its messages are on their way.
        """
        self._work.committed.append(function)


Handle = Callable[[M, Transaction[DB]], None]


@dataclass(frozen=True)
class Handler(Generic[DB]):
    """A registered function."""

    message: type[Message]
    function: Callable[[Any, Transaction[DB]], None]
    key: Callable[[Any], object]
    """Names the aggregate whose messages must not be handled at the same time; None: no rivals."""
    long: bool = False
    """Whether one of these takes so long that others should not wait behind it."""

    @property
    def queue(self) -> Queue:
        """Where it is heard from."""
        if self.long:
            return "long"
        return "commands" if self.message.KIND == "command" else "events"


class Service(Generic[DB]):
    """A service's name, its store and its handlers."""

    def __init__(self, name: str, store: "Store[DB]") -> None:
        """Name the service: one word, the same for queues, user and database."""
        self.name = name
        self.store = store
        self.handlers: dict[str, Handler[DB]] = {}
        self.runner: Runner[DB] | None = None

    def handles(
        self,
        message: type[M],
        *,
        key: Callable[[M], object] = lambda message: message.subject,
        long: bool = False,
    ) -> Callable[[Handle[M, DB]], Handle[M, DB]]:
        """Register a function for a message; a `long` one is handled beside all others.

        Raises:
            TypeError: the service hears this message already.
        """
        if message.TYPE in self.handlers:
            msg = f"{self.name} handles {message.TYPE} twice"
            raise TypeError(msg)

        def register(function: Handle[M, DB]) -> Handle[M, DB]:
            self.handlers[message.TYPE] = Handler(message, function, key, long)
            return function

        return register

    def bindings(self, queue: Queue) -> list[str]:
        """Return the types that a queue of this service is bound to."""
        return sorted(t for t, handler in self.handlers.items() if handler.queue == queue)

    @property
    def queues(self) -> list[Queue]:
        """Name the service's queues."""
        has_long = bool(self.bindings("long"))
        return ["commands", "events", "long"] if has_long else ["commands", "events"]

    @contextmanager
    def transaction(self, *keys: object) -> Iterator[Transaction[DB]]:
        """Open a store transaction of the service's own, outside any message.

        What it emits travels like a handler's. `keys` name the aggregates whose handlers must
        not run meanwhile. The service must be running.
        """
        if self.runner is None:
            msg = f"the {self.name} service is not running"
            raise RuntimeError(msg)
        with self.runner.transaction(*keys) as tx:
            yield tx

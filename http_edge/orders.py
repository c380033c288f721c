"""Buying."""

from uuid import UUID

from falcon.asgi import Request, Response

from http_edge.gate import asked
from http_edge.problems import refuse
from http_edge.reading import Reader
from http_edge.views import Views
from http_edge.writes import Writes, answer
from schemas.order import CancelOrder, PlaceOrder, RequestRefund


class Orders:
    """At /v1/orders."""

    def __init__(self, views: Views, writes: Writes) -> None:
        self._views = views
        self._writes = writes

    async def on_get(self, req: Request, resp: Response) -> None:
        """List my orders."""
        this = asked(req)
        answer(resp, await self._views.orders_of_user(this.user, this.query))

    async def on_post(self, req: Request, resp: Response) -> None:
        """Buy; whether there is anything to buy, the services decide."""
        await self._writes.accept(req, resp, PlaceOrder(**asked(req).form))


class Order:
    """At /v1/orders/{order_id}."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def on_get(self, req: Request, resp: Response, order_id: UUID) -> None:
        """Show an order to its buyer."""
        document = await self._views.order(order_id, asked(req).user)
        if document is None:
            raise refuse("not_found", "There is no such order of yours.")
        answer(resp, document)


class OrderPayment:
    """At /v1/orders/{order_id}/payment."""

    def __init__(self, views: Views, reader: Reader) -> None:
        self._views = views
        self._reader = reader

    async def on_get(self, req: Request, resp: Response, order_id: UUID) -> None:
        """Give the buyer what is needed to pay."""
        row = await self._views.payable(order_id, asked(req).user)
        if row is None:
            raise refuse("not_found", "There is no order of yours here that can be paid.")
        answer(resp, {"id": row["payment_id"], **self._reader.payment(row["client_secret"])})


class OrderCancellation:
    """At /v1/orders/{order_id}/cancellation."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, order_id: UUID) -> None:
        """Give an order back."""
        await self._writes.accept(req, resp, CancelOrder(order_id=order_id))


class OrderRefunds:
    """At /v1/orders/{order_id}/refunds."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    async def on_post(self, req: Request, resp: Response, order_id: UUID) -> None:
        """Give money back; whose it is to give, the order's service decides."""
        command = RequestRefund(order_id=order_id, **asked(req).form)
        await self._writes.accept(req, resp, command)

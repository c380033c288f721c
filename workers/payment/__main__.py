"""The payment service's process; the calls to Stripe are made by the gateway's."""

from bus.worker import run
from workers.payment.handlers import payment

run(payment)

"""The payment service: payments, their audit trail, Stripe's events and calls."""

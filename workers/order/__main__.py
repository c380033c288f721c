"""The order service's process."""

from bus.settings import SettingError, give_up
from bus.worker import run
from workers.order.handlers import lifetimes, order

if __name__ == "__main__":
    try:
        lifetimes()
    except SettingError as error:
        give_up(error)
    run(order)

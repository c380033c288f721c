"""How gunicorn serves the edge: `gunicorn -c http_edge/gunicorn.py http_edge.app:application`.

One event loop per process; scale by starting more processes. The settings are read here once
before anything is bound, so that a wrong one ends the process with a sentence and exit code 2.
"""

from bus import faults, log
from bus.settings import SettingError, give_up
from http_edge import settings

try:
    settings.read()
    bind = settings.bind()
    log.configure("edge")
    faults.arm()
except SettingError as error:
    give_up(error)

proc_name = "foyer edge"
worker_class = "http_edge.serving.EdgeWorker"
logger_class = "http_edge.serving.EdgeLogger"
workers = 1
reuse_port = True  # Several edges share the port; the kernel spreads the connections.
asgi_loop = "uvloop"
asgi_lifespan = "on"
keepalive = 75
graceful_timeout = 25
timeout = 30
backlog = 2048
worker_connections = 10_000
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = None  # The application writes its own, one JSON line per request.
control_socket_disable = True

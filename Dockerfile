# One image for every process; docker-compose.yml says which one a container runs.
FROM python:3.11-slim AS packages
COPY requirements.lock /
RUN python -m venv /opt/foyer && \
    /opt/foyer/bin/pip install --no-cache-dir --require-hashes -r /requirements.lock

FROM python:3.11-slim
ENV PATH=/opt/foyer/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /opt/foyer /opt/foyer
WORKDIR /srv/foyer
COPY bus bus
COPY schemas schemas
COPY workers workers
COPY http_edge http_edge
COPY migrations migrations
COPY ops ops
RUN useradd --system --no-create-home foyer && install -d -o foyer /var/lib/foyer /var/lib/foyer-metrics
USER foyer
# Drains within 30 s of SIGTERM, which is also how compose stops a container.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "ops", "--help"]

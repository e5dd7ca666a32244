# syntax=docker/dockerfile:1
# Two stages: build tools are not in the image. It runs as a user of its own and writes to /data alone.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /venv
# With media in a bucket: docker build --build-arg REQUIREMENTS=requirements-s3.txt; with traces: requirements-otel.txt
ARG REQUIREMENTS=requirements.txt
COPY requirements*.txt ./
RUN /venv/bin/pip install --requirement "$REQUIREMENTS"
COPY . .
# With nothing configured, settings are those of a sandbox: enough to collect static files. Its keys are not copied.
RUN CONSOLE_DATA_DIR=/tmp/build CONSOLE_STATIC_DIR=/app/collected /venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
    && chmod --recursive a+rX /app/collected \
    && /venv/bin/python -m compileall -q accounts connectors groups kaizala_console

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin console \
    && install --directory --mode 700 --owner console --group console /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CONSOLE_DATA_DIR=/data CONSOLE_STATIC_DIR=/app/collected CONSOLE_HOST=0.0.0.0 CONSOLE_PORT=8000 METRICS_PORT=9464
USER console
VOLUME /data
EXPOSE 8000 9464
# The web process; docker-compose.yml starts workers and beat from the same image.
CMD ["python", "manage.py", "serve"]

# One image for every process: `avtale api`, `avtale worker`, `avtale migrate`.
FROM python:3.12-slim AS build
COPY requirements/uv.lock requirements/run.lock requirements/node.lock /build/
RUN python -m venv /venv \
 && pip install --no-cache-dir --require-hashes -r /build/uv.lock \
 && uv pip install --no-cache --python /venv/bin/python --require-hashes --compile-bytecode -r /build/run.lock
# The console's front-end packages: Node stays in this stage.
COPY frontend/package.json frontend/package-lock.json /build/app/frontend/
COPY orchestrator/dev/frontend.py /build/app/orchestrator/dev/frontend.py
RUN python -m venv /node \
 && /venv/bin/uv pip install --no-cache --python /node/bin/python --require-hashes -r /build/node.lock \
 && /node/bin/python /build/app/orchestrator/dev/frontend.py --run-only

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 AVTALE_DATA_DIR=/data AVTALE_HOST=0.0.0.0
RUN useradd --system --uid 10001 --home-dir /app avtale \
 && install -d -o avtale -m 0700 /data
COPY --from=build /venv /venv
COPY orchestrator /app/orchestrator
COPY channels /app/channels
COPY templates /app/templates
COPY --from=build /build/app/templates/console/vendor /app/templates/console/vendor
COPY migrations /app/migrations
RUN printf '#!/bin/sh\nexec python -m orchestrator.cli "$@"\n' > /usr/local/bin/avtale \
 && chmod 0755 /usr/local/bin/avtale && python -m compileall -q /app
USER avtale
WORKDIR /app
VOLUME /data
EXPOSE 8400
CMD ["avtale", "api"]

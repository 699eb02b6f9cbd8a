# One image; the services of docker-compose.yml differ only by their command.

FROM python:3.12-slim AS build
RUN pip install --no-cache-dir --root-user-action=ignore uv
# Compiled here, as the running container may not write; copied, as a link would leave this stage.
ENV UV_PROJECT_ENVIRONMENT=/opt/shoal \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# Dependencies first: a change of the source does not install them again.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --extra web --no-install-project
COPY shared shared
COPY worker worker
COPY producer producer
COPY shoal shoal
RUN uv sync --locked --no-dev --extra web --no-editable

FROM python:3.12-slim
RUN groupadd --gid 10001 shoal \
    && useradd --uid 10001 --gid shoal --no-create-home --home-dir /tmp shoal \
    # A new volume takes its owner from the directory where it is mounted first.
    && install --directory --owner=shoal --group=shoal --mode=700 /shards
COPY --from=build /opt/shoal /opt/shoal
# /tmp and /shards are all that the container may write to.
ENV PATH=/opt/shoal/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["shoal"]
CMD ["--help"]

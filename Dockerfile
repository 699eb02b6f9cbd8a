# One image; the services of docker-compose.yml differ only by their command.
# What changes seldom comes first: a change of the source is a layer of some megabytes, and leaves
# that of the dependencies as it is, here and wherever the image is pulled.

ARG PYTHON_IMAGE=python:3.12.12-slim-trixie

FROM ${PYTHON_IMAGE} AS tools
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.9
ENV UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build

# A list by itself: pyproject.toml also changes where no dependency does.
FROM tools AS requirements
COPY pyproject.toml uv.lock ./
RUN uv export --quiet --locked --no-dev --extra web --extra parquet --extra remote \
    --no-emit-project --no-header --output-file requirements.txt

FROM tools AS dependencies
RUN uv venv --quiet /opt/shoal
COPY --from=requirements /build/requirements.txt ./
# Left out are tests of libraries and what Parquet does not need: 130 MB. Compiled here, as the
# running container may not write.
RUN uv pip install --quiet --python /opt/shoal --require-hashes --requirements requirements.txt \
    && cd /opt/shoal/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && rm -r pyarrow/include pyarrow/*flight* \
    && python -m compileall -q -j 0 .

FROM tools AS package
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY shared shared
COPY worker worker
COPY producer producer
COPY shoal shoal
RUN uv build --quiet --wheel --out-dir dist

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Shoal" \
      org.opencontainers.image.description="Sorts large image folders into clusters" \
      org.opencontainers.image.licenses="MIT AND Apache-2.0"
RUN groupadd --gid 10001 shoal \
    && useradd --uid 10001 --gid shoal --no-create-home --home-dir /tmp shoal \
    # A new volume has the mode of the directory where it is mounted first: whoever the containers
    # run as may write there, and nobody outside of them can reach it.
    && install --directory --mode=1777 /shards
# /tmp and /shards are all that the container may write to.
ENV PATH=/opt/shoal/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
COPY --from=dependencies /opt/shoal /opt/shoal
RUN --mount=from=package,source=/build/dist,target=/dist \
    pip --python /opt/shoal/bin/python install --quiet --no-cache-dir --no-deps --no-index \
    --root-user-action=ignore /dist/*.whl
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["shoal"]
CMD ["--help"]

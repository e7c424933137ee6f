# Gossamer as an image, in two stages: what installs stays behind. docs/how-to/install.md says how to use it.
# On x86 an index of CPU builds of torch keeps out gigabytes of GPU libraries: name it as PIP_EXTRA_INDEX_URL.

FROM python:3.11-slim AS build
ARG EXTRAS=evaluate,series,report
ARG VERSION=0.0.0
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
WORKDIR /source
COPY pyproject.toml lock.txt README.md LICENSE ./
COPY src ./src
# The environment has no pip of its own: nothing can be added to it afterwards.
RUN python3 -m venv --without-pip /opt/gossamer
RUN --mount=type=cache,target=/root/.cache/pip \
    SETUPTOOLS_SCM_PRETEND_VERSION_FOR_GOSSAMER="${VERSION}" \
    python3 -m pip --python /opt/gossamer/bin/python install --constraint lock.txt ".[${EXTRAS}]"
# Headers and other people's tests are a quarter of it.
RUN find /opt/gossamer/lib -type d \( -name tests -o -path "*/torch/test" -o -path "*/torch/include" \) \
    -prune -exec rm -rf {} +

FROM python:3.11-slim
LABEL org.opencontainers.image.title="gossamer" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/gossamer /opt/gossamer
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin gossamer \
    && install --directory --owner=gossamer --group=gossamer --mode=0700 /work/data /work/runs
# What a command writes beside its run goes to /tmp, and the private cache to the runs, so that the rest can be read-only.
ENV PATH=/opt/gossamer/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    GOSSAMER_DATA=/work/data \
    GOSSAMER_CACHE=/work/runs/.cache \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /work
VOLUME ["/work/data", "/work/runs"]
ENTRYPOINT ["gossamer"]
CMD ["--help"]

# Weir in a container: built with the profile that ships, run without root, data in a volume.
#
#   docker build -t weir .
#   docker run -p 4317:4317 -p 4318:4318 -p 4320:4320 -v weir-data:/var/lib/weir weir

FROM docker.io/library/node:20-bookworm-slim AS ui
WORKDIR /src/ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui ./
RUN npm run build

FROM docker.io/library/rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc g++ libc6-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
COPY --from=ui /src/ui/dist ui/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    make ship \
    && install -D target/ship/weir /out/weir

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin weir \
    && install -d -o weir -g weir -m 0750 /var/lib/weir
COPY --from=build /out/weir /usr/local/bin/weir
COPY configs/container.yaml /etc/weir/weir.yaml
USER 10001
VOLUME /var/lib/weir
EXPOSE 4317 4318 4320
# Alive is not ready: while the disk is full it answers queries and must not be restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["curl", "-fsS", "http://127.0.0.1:4320/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/weir"]
CMD ["run", "--config", "/etc/weir/weir.yaml"]

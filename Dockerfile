# The gateway alone in an image: no shell, no package manager, no root. Build: docker build -t airiskguard-gateway:0.1.0 .
#
# Run it with a read-only root: docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#   -v airiskguard:/var/lib/airiskguard -v ./gateway.yaml:/etc/airiskguard/gateway.yaml:ro -p 8080:8080 airiskguard-gateway:0.1.0
#
# There is no HEALTHCHECK: it would need a program beside the gateway. Ask from outside: /healthz on 8080, /readyz on 9090.

FROM rust:1.95-bookworm AS build
# cmake for the C libraries that Pingora brings; whatever version the base image's own release has.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --locked --release --bin airiskguard-gateway \
    && packaging/container/rootfs.sh target/release/airiskguard-gateway /rootfs \
    && install -d -m 700 /state

FROM scratch
COPY --from=build /rootfs /
# Name, keys, journal and the default audit store. A volume that is made for it takes owner and mode from here.
COPY --from=build --chown=65532:65532 /state /var/lib/airiskguard
ENV STATE_DIRECTORY=/var/lib/airiskguard
VOLUME /var/lib/airiskguard
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/airiskguard-gateway"]
CMD ["--config", "/etc/airiskguard/gateway.yaml"]

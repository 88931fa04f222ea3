# The gateway, or the policy server, alone in an image: no shell, no package manager, no root. Build:
#
#   docker build -t airiskguard-gateway:0.1.0 .
#   docker build -t airiskguard-policy-server:0.1.0 --target policy-server .
#
# Run it with a read-only root: docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#   -v airiskguard:/var/lib/airiskguard -v ./gateway.yaml:/etc/airiskguard/gateway.yaml:ro -p 8080:8080 airiskguard-gateway:0.1.0
#
# There is no HEALTHCHECK: it would need a program beside the gateway. Ask from outside: /healthz on 8080, /readyz on 9090;
# the policy server has both on 8090.

FROM rust:1.95-bookworm AS source
# cmake for the C libraries that Pingora brings; whatever version the base image's own release has.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .

FROM source AS build-gateway
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --locked --release --bin airiskguard-gateway \
    && packaging/container/rootfs.sh target/release/airiskguard-gateway /rootfs \
    && install -d -m 700 /state

FROM source AS build-policy-server
# What SAML is built on; of the libraries, the image gets those that the program is linked with.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libclang-dev libssl-dev libxml2-dev libxmlsec1-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --locked --release --no-default-features --features saml --bin airiskguard-policy-server \
    && packaging/container/rootfs.sh target/release/airiskguard-policy-server /rootfs \
    && install -d -m 700 /state

FROM scratch AS policy-server
COPY --from=build-policy-server /rootfs /
# Database, journal and keys. A volume that is made for it takes owner and mode from here.
COPY --from=build-policy-server --chown=65532:65532 /state /var/lib/airiskguard-control
# Inside a container, loopback is nobody's.
ENV AIRISKGUARD_POLICY_SERVER_HOST=0.0.0.0
VOLUME /var/lib/airiskguard-control
USER 65532:65532
EXPOSE 8090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/airiskguard-policy-server"]
CMD ["--data-dir", "/var/lib/airiskguard-control", "--config", "/etc/airiskguard/policy-server.yaml"]

# The last one is what is built where no other is asked for.
FROM scratch AS gateway
COPY --from=build-gateway /rootfs /
# Name, keys, journal and the default audit store. A volume that is made for it takes owner and mode from here.
COPY --from=build-gateway --chown=65532:65532 /state /var/lib/airiskguard
ENV STATE_DIRECTORY=/var/lib/airiskguard
VOLUME /var/lib/airiskguard
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/airiskguard-gateway"]
CMD ["--config", "/etc/airiskguard/gateway.yaml"]

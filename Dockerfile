# One image for worker, API and commands: the binary, nothing else to install.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p shenfen

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="shenfen" \
      org.opencontainers.image.version="0.6.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home shenfen
COPY --from=build /src/target/release/shenfen /usr/local/bin/shenfen
USER 10001
# Metrics, liveness and readiness.
EXPOSE 9090
# SIGTERM: finish what was begun, give back the rest.
STOPSIGNAL SIGTERM
ENTRYPOINT ["shenfen"]
CMD ["worker"]

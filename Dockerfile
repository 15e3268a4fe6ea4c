# dmsnet in an image with nothing else: no shell, no package manager. The C library, the name service and the root
# certificates come from the build image.
ARG BUILD_IMAGE=rust:1.94-bookworm
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo ./.cargo
COPY src ./src
# Declared targets must exist for cargo to read its manifest; none of them is built.
RUN mkdir -p tests/plan tests/cli tests/e2e benches \
 && touch tests/plan/main.rs tests/cli/main.rs tests/e2e/main.rs benches/plan.rs
RUN cargo build --release --locked --bin dmsnet
# The binary, and the libraries that it names, where the loader looks for them.
RUN set -eu; mkdir -p /root-fs/etc/ssl/certs /root-fs/usr/bin; \
    cp target/release/dmsnet /root-fs/usr/bin/; \
    for library in $(ldd target/release/dmsnet | grep -o '/[^ ]*'); do \
      mkdir -p "/root-fs$(dirname "$library")"; cp -L "$library" "/root-fs$library"; done; \
    cp -L /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/; \
    echo 'nonroot:x:65532:65532::/:/usr/bin/dmsnet' > /root-fs/etc/passwd; \
    echo 'nonroot:x:65532:' > /root-fs/etc/group; \
    echo 'hosts: files dns' > /root-fs/etc/nsswitch.conf

FROM scratch
COPY --from=build /root-fs /
COPY LICENSE /LICENSE
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/dmsnet"]
CMD ["run"]

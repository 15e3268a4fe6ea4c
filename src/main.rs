//! The `dmsnet` binary.

/// What is freed goes back to the system soon: see `.cargo/config.toml`, and docs/benchmarks.md for what it saves.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    dmsnet::cli::main()
}

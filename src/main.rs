//! The `dmsnet` binary.

fn main() -> std::process::ExitCode {
    dmsnet::cli::main()
}

//! Temporary entry point.
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let get = |n: &str| args.iter().position(|a| a == n).and_then(|i| args.get(i + 1)).cloned();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(std::env::var("DMSNET_LOG").unwrap_or("info,dmsnet=debug".into()))
        .init();
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let r = rt.block_on(dmsnet::controller::run(dmsnet::controller::Options {
        cluster_name: get("--cluster-name"),
        http_addr: get("--http-addr").unwrap_or("127.0.0.1:0".into()).parse().unwrap(),
        http_addr_file: get("--http-addr-file").map(Into::into),
        class_selector: get("--class-selector"),
    }));
    if let Err(e) = r {
        eprintln!("{e}");
        std::process::exit(1)
    }
}

use clap::CommandFactory;

use super::*;

#[test]
fn the_definition_holds() {
    Cli::command().debug_assert();
}

#[test]
fn several_files_by_one_flag_or_many() {
    let cli = Cli::try_parse_from(["dmsnet", "plan", "-f", "a.yaml", "b.yaml", "-f", "-", "--owner", "ci"]).unwrap();
    let Command::Plan(args) = cli.command else { panic!("{cli:?}") };
    assert_eq!(args.networks.files, ["a.yaml", "b.yaml", "-"].map(PathBuf::from));
    assert_eq!(args.owner.map(|o| o.to_string()).as_deref(), Some("ci"));
    assert!(Cli::try_parse_from(["dmsnet", "plan"]).is_err(), "files are required");
    let error = Cli::try_parse_from(["dmsnet", "apply", "-f", "a", "--owner", "Team A"]).unwrap_err().to_string();
    assert!(error.contains("use 1 to 40 of a-z"), "{error}");
}

#[test]
fn networks_of_a_cluster_by_name() {
    let cli = Cli::try_parse_from(["dmsnet", "explain", "-n", "team-a", "orders", "billing", "--context", "prod"]).unwrap();
    let Command::Explain(args) = cli.command else { panic!("{cli:?}") };
    assert_eq!((args.networks.namespace.as_deref(), args.networks.context.as_deref()), (Some("team-a"), Some("prod")));
    assert_eq!(args.networks.names, ["orders", "billing"]);
    for command in ["plan", "explain", "diagram"] {
        assert!(Cli::try_parse_from(["dmsnet", command, "orders"]).is_ok(), "the namespace is the kubeconfig's");
    }
    for wrong in [
        &["explain", "-n", "team-a"][..],
        &["explain", "orders", "-f", "a.yaml"],
        &["explain", "-f", "a.yaml", "-n", "team-a"],
        &["plan", "orders", "--prune"],
        &["apply", "-n", "team-a", "orders"],
    ] {
        assert!(Cli::try_parse_from(["dmsnet"].iter().chain(wrong)).is_err(), "{wrong:?}");
    }
}

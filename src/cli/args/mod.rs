//! What the command line takes.

mod help;
mod networks;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use kube::core::Selector;

use super::iam_policy::Wish;
use crate::{controller, model::Owner};
use help::{
    APPLY_HELP, DELETE_HELP, DIAGRAM_HELP, DIAGRAM_USAGE, EXAMPLES, EXPLAIN_HELP, EXPLAIN_USAGE, IAM_POLICY_HELP, IMPORT_HELP, PLAN_HELP,
    PLAN_USAGE, SNAPSHOT_HELP, SNAPSHOT_USAGE, STYLES,
};
use networks::owner;
pub use networks::{FileArgs, NetworkArgs};

/// Keeps the network that an AWS DMS migration needs: security group rules and VPC endpoints.
///
/// A DmsNetwork says which replication must reach which databases. dmsnet derives what that needs in AWS,
/// compares, creates or repairs, and reports drift: in a cluster as a controller, or from files as a command.
#[derive(Debug, Parser)]
#[command(name = "dmsnet", version, styles = STYLES, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log, to standard error.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller, in a cluster or with a kubeconfig
    Run(RunArgs),
    /// Show what would change in AWS for networks in files or in a cluster
    #[command(after_help = PLAN_HELP, override_usage = PLAN_USAGE)]
    Plan(PlanArgs),
    /// Make AWS once as the networks in files want it
    #[command(after_help = APPLY_HELP)]
    Apply(ApplyArgs),
    /// Remove from AWS what was made for the networks in files
    #[command(after_help = DELETE_HELP)]
    Delete(DeleteArgs),
    /// Tell of each path whether it is open, hop by hop, and what mends it
    #[command(after_help = EXPLAIN_HELP, override_usage = EXPLAIN_USAGE)]
    Explain(ExplainArgs),
    /// Draw networks and their paths, as SVG or Mermaid
    #[command(after_help = DIAGRAM_HELP, override_usage = DIAGRAM_USAGE)]
    Diagram(DiagramArgs),
    /// Record what AWS holds for networks
    #[command(after_help = SNAPSHOT_HELP, override_usage = SNAPSHOT_USAGE)]
    Snapshot(SnapshotArgs),
    /// Write the DmsNetwork and the class that describe what exists
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Print the IAM policy that dmsnet needs
    #[command(after_help = IAM_POLICY_HELP)]
    IamPolicy(IamPolicyArgs),
    /// Print the CustomResourceDefinitions as YAML
    Crds,
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  source <(dmsnet completions bash)")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// What to log: a level, or a filter such as `info,dmsnet=debug` [default: info; error for one-time commands]
    #[arg(long, env = "DMSNET_LOG", value_name = "FILTER", global = true, hide_env_values = true, help_heading = "Logging")]
    pub log: Option<String>,
    /// Form of log lines [default: text on a terminal, else json; text for one-time commands]
    #[arg(long, value_enum, value_name = "FORMAT", global = true, help_heading = "Logging")]
    pub log_format: Option<LogFormat>,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// How to run the controller.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Name under which AWS objects are owned, unique in the AWS account: 1 to 40 of a-z, 0-9 and '-'
    /// [default: from the cluster's own ID, which a cluster that is built anew does not keep]
    #[arg(long, env = "DMSNET_CLUSTER_NAME", hide_env_values = true, value_name = "NAME")]
    pub cluster_name: Option<String>,
    /// Where to serve /metrics, /healthz and /readyz; port 0 takes any free port
    #[arg(long, env = "DMSNET_HTTP_ADDR", hide_env_values = true, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub http_addr: SocketAddr,
    /// Write the address that was bound to this file
    #[arg(long, value_name = "FILE")]
    pub http_addr_file: Option<PathBuf>,
    /// Serve only classes with these labels, and their networks, such as `shard=a`
    #[arg(long, env = "DMSNET_CLASS_SELECTOR", hide_env_values = true, value_name = "SELECTOR", value_parser = controller::selector::parse)]
    pub class_selector: Option<Selector>,
    /// Name of this shard and of its Lease, `dmsnet-NAME`: the same for all replicas of a shard [default: `default`, or made
    /// from the selector]
    #[arg(long, env = "DMSNET_SHARD", hide_env_values = true, value_name = "NAME", value_parser = shard)]
    pub shard: Option<String>,
    /// Namespace of the Leases, the same for all shards [default: the pod's, else the kubeconfig context's]
    #[arg(long, env = "DMSNET_LEASE_NAMESPACE", hide_env_values = true, value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name of this replica in the Lease: no two that run at the same time may share it. One that starts again under its old
    /// name, as a container does under its pod's, takes its Lease back at once [default: the host's name and a random part]
    #[arg(long, env = "DMSNET_IDENTITY", hide_env_values = true, value_name = "NAME")]
    pub identity: Option<String>,
}

impl From<RunArgs> for controller::Options {
    fn from(args: RunArgs) -> Self {
        let RunArgs { cluster_name, http_addr, http_addr_file, class_selector, shard, lease_namespace, identity } = args;
        Self { cluster_name, http_addr, http_addr_file, class_selector, shard, lease_namespace, identity }
    }
}

/// A Lease is an object of Kubernetes, and this is a part of its name.
fn shard(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=50).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-');
    if fits { Ok(text.to_owned()) } else { Err("1 to 50 of a-z, 0-9 and '-', not at either end".to_owned()) }
}

/// Arguments of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The networks.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Name under which AWS objects are owned: 1 to 40 of a-z, 0-9 and '-' [default: cli for files; for a cluster the one
    /// that its controller takes if it is given no --cluster-name]
    #[arg(long, value_name = "NAME", value_parser = owner)]
    pub owner: Option<Owner>,
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
    /// When to colour the output; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Count what the files no longer want as changes, as `apply --prune` would remove it
    #[arg(long, conflicts_with = "names")]
    pub prune: bool,
    /// Where the facts come from.
    #[command(flatten)]
    pub facts: FactArgs,
}

/// Where facts come from.
#[derive(Clone, Debug, Args)]
pub struct FactArgs {
    /// Take what AWS holds from this file, which `dmsnet snapshot` wrote, and ask nobody
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub snapshot: Option<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The networks.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
    /// When to colour the output; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Where the facts come from.
    #[command(flatten)]
    pub facts: FactArgs,
}

/// Arguments of `diagram`.
#[derive(Clone, Debug, Args)]
pub struct DiagramArgs {
    /// The networks.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Form of the picture
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Picture::Mermaid)]
    pub output: Picture,
    /// Where the facts come from.
    #[command(flatten)]
    pub facts: FactArgs,
}

/// Form of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Picture {
    Mermaid,
    Svg,
}

/// Arguments of `snapshot`.
#[derive(Clone, Debug, Args)]
pub struct SnapshotArgs {
    /// The networks.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Where to write it; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: PathBuf,
}

/// Arguments of `apply`.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// The networks.
    #[command(flatten)]
    pub files: FileArgs,
    /// Remove what carries this owner's tag, in the groups and VPCs that the files name, and is wanted by none of them
    #[arg(long)]
    pub prune: bool,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The networks.
    #[command(flatten)]
    pub files: FileArgs,
}

/// Arguments of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Identifier of the DMS replication instance
    #[arg(long, value_name = "ID", required_unless_present = "serverless", conflicts_with = "serverless")]
    pub instance: Option<String>,
    /// Identifier of the DMS Serverless replication config
    #[arg(long, value_name = "ID")]
    pub serverless: Option<String>,
    /// Its Region
    #[arg(long, value_name = "REGION")]
    pub region: String,
    /// One URL for every AWS service, such as an emulator's
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Name of the class [default: the Region]
    #[arg(long, value_name = "NAME")]
    pub class_name: Option<String>,
    /// Name of the network [default: the replication's identifier]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Namespace of the network
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Name under which dmsnet owns what it made there
    #[arg(long, value_name = "NAME", default_value_t, value_parser = owner)]
    pub owner: Owner,
    /// Take over VPC endpoints that others made: applied, dmsnet tags them and keeps what is written
    #[arg(long)]
    pub take_over: bool,
}

/// Arguments of `iam-policy`.
#[derive(Clone, Debug, Args)]
pub struct IamPolicyArgs {
    /// Whether dmsnet is to write to AWS
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: PolicyMode,
    /// The Region of the class
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The account of the class, 12 digits
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// A VPC that networks may touch; may be repeated
    #[arg(long = "vpc", value_name = "ID")]
    pub vpcs: Vec<String>,
    /// A service for which VPC endpoints are made; may be repeated; `none`: no VPC endpoints
    #[arg(long = "service", value_name = "SERVICE", default_value = "dms")]
    pub services: Vec<String>,
    /// Allow what `dmsnet import` reads, too
    #[arg(long)]
    pub import: bool,
    /// Allow to change VPC endpoints that are taken over, which others made
    #[arg(long)]
    pub take_over: bool,
    /// Allow to change entries of network ACLs, for `networkAcls: Manage`
    #[arg(long)]
    pub network_acls: bool,
    /// Allow to change routes, for `routes: Manage`
    #[arg(long)]
    pub routes: bool,
    /// A key of the class's `tags`; may be repeated
    #[arg(long = "tag-key", value_name = "KEY")]
    pub tag_keys: Vec<String>,
    /// ARN of a queue that a class names as `changeQueue`; may be repeated
    #[arg(long = "change-queue", value_name = "ARN")]
    pub change_queues: Vec<String>,
    /// The role of a class's `assumeRole`, for the policy of what assumes it; may be repeated
    #[arg(long = "assume-role", value_name = "ARN")]
    pub roles: Vec<String>,
}

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyMode {
    /// To look and report
    Observe,
    /// To make and repair as well
    Enforce,
}

impl From<IamPolicyArgs> for Wish {
    fn from(args: IamPolicyArgs) -> Self {
        let IamPolicyArgs {
            mode,
            region,
            account,
            vpcs,
            mut services,
            import,
            take_over,
            network_acls,
            routes,
            tag_keys,
            roles,
            change_queues,
        } = args;
        services.retain(|s| s != "none");
        let enforce = mode == PolicyMode::Enforce;
        Self { enforce, region, account, vpcs, services, import, take_over, network_acls, routes, tag_keys, roles, change_queues }
    }
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Output {
    Text,
    Json,
}

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests;

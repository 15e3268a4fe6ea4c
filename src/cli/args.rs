//! What the command line takes.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};
use clap_complete::Shell;
use kube::core::Selector;

use super::iam_policy::Wish;
use crate::{controller, model::Owner};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  dmsnet crds | kubectl apply --server-side -f -
                                            Teach a cluster the two resources
  dmsnet run                                Work as its controller
  dmsnet plan -f class.yaml network.yaml    Show what would change in AWS, without a cluster
  dmsnet apply -f network.yaml --owner ci   Make it so once

AWS credentials come from the environment, as for the AWS CLI.";

const PLAN_HELP: &str = "\
Examples:
  dmsnet plan -f class.yaml network.yaml
  kubectl get dnc,dmsnet -A -o yaml | dmsnet plan -f - --owner prod-1
                                        What the controller of cluster prod-1 would find to do
  dmsnet plan -f networks/*.yaml -o json | jq .summary

Exit codes:
  0  nothing to change
  2  there are changes
  1  an error, or a problem that stands in the way";

const SNAPSHOT_HELP: &str = "\
Examples:
  dmsnet snapshot -f class.yaml network.yaml -o snapshot.json
  dmsnet plan -f class.yaml network.yaml --snapshot snapshot.json
                                        Anywhere, without credentials, with the same output

A snapshot holds what AWS was found to hold for these networks: IDs, addresses, rules, names, tags,
policies; and which reads were refused. It holds no credentials.";

const EXPLAIN_HELP: &str = "\
Examples:
  dmsnet explain -f class.yaml network.yaml
  dmsnet explain -f network.yaml --snapshot snapshot.json -o json | jq '.networks[].paths[].findings'

No packet is sent, and nothing is written: the proof is made from what AWS holds. What AWS does not
show, such as the far side of a VPN, is named and does not count as blocked.

Exit codes:
  0  nothing blocks
  2  a path is blocked
  1  an error, or a problem that keeps a path from being explained";

const DIAGRAM_HELP: &str = "\
Examples:
  dmsnet diagram -f class.yaml network.yaml > network.mmd
  dmsnet diagram -f network.yaml --snapshot snapshot.json -o mermaid

The way is green where packets pass, dotted and red where they do not, dotted where AWS does not show it.";

const IMPORT_HELP: &str = "\
Examples:
  dmsnet import --instance orders-ri --region us-west-2 > orders.yaml
  dmsnet plan -f orders.yaml

The databases come from the instance's tasks and connections, else from its groups' rules towards
groups that RDS databases use. What cannot be derived, and what planning would still change, stands
in comments. Nothing is written to AWS.";

const IAM_POLICY_HELP: &str = "\
Examples:
  dmsnet iam-policy --mode observe
  dmsnet iam-policy --mode enforce --region us-west-2 --account 111122223333 --vpc vpc-0a1b2c3d
  dmsnet iam-policy --mode enforce --service dms --service s3 --tag-key cost-center

Whatever is not named is not narrowed: without --region, any Region. STS GetCallerIdentity is called
as well; it needs no permission.";

const APPLY_HELP: &str = "\
Examples:
  dmsnet apply -f class.yaml network.yaml
  dmsnet apply -f networks/*.yaml --owner team-a --prune

Without a cluster there is no ledger: the owner tag on AWS objects tells what is ours, so give
each set of files an owner of its own. Where a network is suspended, or it or its class says
mode: Observe, nothing is written.

Exit codes:
  0  AWS is as the files want it
  1  an error, or a problem that stands in the way";

const DELETE_HELP: &str = "\
Examples:
  dmsnet delete -f class.yaml network.yaml
  dmsnet delete -f network.yaml --owner team-a

Removes what the files want, carries this owner's tag and no other owner's; with
deletionPolicy: Retain only the owner tag is taken off. Waits until VPC endpoints and their
groups are gone.

Exit codes:
  0  nothing of it is left, or what is left is to stay
  1  an error, or something that could not be removed";

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
    /// Show what would change in AWS for the networks in files
    #[command(after_help = PLAN_HELP)]
    Plan(PlanArgs),
    /// Make AWS once as the networks in files want it
    #[command(after_help = APPLY_HELP)]
    Apply(ApplyArgs),
    /// Remove from AWS what was made for the networks in files
    #[command(after_help = DELETE_HELP)]
    Delete(DeleteArgs),
    /// Tell of each path whether it is open, hop by hop, and what mends it
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Draw the networks in files and their paths
    #[command(after_help = DIAGRAM_HELP)]
    Diagram(DiagramArgs),
    /// Record what AWS holds for the networks in files
    #[command(after_help = SNAPSHOT_HELP)]
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

/// Which networks.
#[derive(Clone, Debug, Args)]
pub struct NetworkArgs {
    /// Files with DmsNetworks and their DmsNetworkClasses, as YAML or JSON; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// Which networks, and how to speak of them.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// The networks.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Name under which AWS objects are owned: 1 to 40 of a-z, 0-9 and '-'; one for each set of files
    #[arg(long, value_name = "NAME", default_value_t, value_parser = owner)]
    pub owner: Owner,
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Output::Text)]
    pub output: Output,
    /// When to colour the output; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

/// Arguments of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The networks.
    #[command(flatten)]
    pub files: FileArgs,
    /// Count what the files no longer want as changes, as `apply --prune` would remove it
    #[arg(long)]
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

fn owner(name: &str) -> Result<Owner, String> {
    Owner::parse(name).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
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
        assert_eq!(args.files.networks.files, ["a.yaml", "b.yaml", "-"].map(PathBuf::from));
        assert_eq!(args.files.owner.as_str(), "ci");
        assert!(Cli::try_parse_from(["dmsnet", "plan"]).is_err(), "files are required");
        let error = Cli::try_parse_from(["dmsnet", "apply", "-f", "a", "--owner", "Team A"]).unwrap_err().to_string();
        assert!(error.contains("use 1 to 40 of a-z"), "{error}");
    }
}

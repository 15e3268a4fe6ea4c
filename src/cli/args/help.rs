//! What `--help` says beside the flags.

use clap::builder::styling;

pub(super) const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

pub(super) const EXAMPLES: &str = "\
Examples:
  dmsnet crds | kubectl apply --server-side -f -
                                            Teach a cluster the two resources
  dmsnet run                                Work as its controller
  dmsnet plan -f class.yaml network.yaml    Show what would change in AWS, without a cluster
  dmsnet apply -f network.yaml --owner ci   Make it so once

AWS credentials come from the environment, as for the AWS CLI.";

pub(super) const PLAN_HELP: &str = "\
Examples:
  dmsnet plan -f class.yaml network.yaml
  kubectl get dnc,dmsnet -A -o yaml | dmsnet plan -f - --owner prod-1
                                        What the controller of cluster prod-1 would find to do
  dmsnet plan -n orders-team orders     What it would find to do for one network
  dmsnet plan -f networks/*.yaml -o json | jq .summary

Exit codes:
  0  nothing to change
  2  there are changes
  1  an error, or a problem that stands in the way";

pub(super) const SNAPSHOT_HELP: &str = "\
Examples:
  dmsnet snapshot -f class.yaml network.yaml -o snapshot.json
  dmsnet plan -f class.yaml network.yaml --snapshot snapshot.json
                                        Anywhere, without credentials, with the same output

A snapshot holds what AWS was found to hold for these networks: IDs, addresses, rules, names, tags,
policies; and which reads were refused. It holds no credentials.";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  dmsnet explain -f class.yaml network.yaml
  dmsnet explain -n orders-team orders
  dmsnet explain -f network.yaml --snapshot snapshot.json -o json | jq '.networks[].paths[].findings'

No packet is sent, and nothing is written: the proof is made from what AWS holds. What AWS does not
show, such as the far side of a VPN, is named and does not count as blocked.

Exit codes:
  0  nothing blocks
  2  a path is blocked
  1  an error, or a problem that keeps a path from being explained";

pub(super) const DIAGRAM_HELP: &str = "\
Examples:
  dmsnet diagram -f class.yaml network.yaml -o svg > network.svg
  dmsnet diagram -n orders-team orders -o svg > orders.svg
  dmsnet diagram -f network.yaml --snapshot snapshot.json > network.mmd

The way is green where packets pass, dashed and red where they do not, dotted where AWS does not
show it. In SVG each host and port has a lane of its own, the packet above and its answer below,
with the code of what blocks; it follows the reader's preference for light or dark. The default is
a Mermaid flowchart.";

pub(super) const IMPORT_HELP: &str = "\
Examples:
  dmsnet import --instance orders-ri --region us-west-2 > orders.yaml
  dmsnet plan -f orders.yaml

The databases come from the instance's tasks and connections, else from its groups' rules towards
groups that RDS databases use. What cannot be derived, and what planning would still change, stands
in comments. Nothing is written to AWS.";

pub(super) const IAM_POLICY_HELP: &str = "\
Examples:
  dmsnet iam-policy --mode observe
  dmsnet iam-policy --mode enforce --region us-west-2 --account 111122223333 --vpc vpc-0a1b2c3d
  dmsnet iam-policy --mode enforce --service dms --service s3 --tag-key cost-center

Whatever is not named is not narrowed: without --region, any Region. STS GetCallerIdentity is called
as well; it needs no permission.";

pub(super) const APPLY_HELP: &str = "\
Examples:
  dmsnet apply -f class.yaml network.yaml
  dmsnet apply -f networks/*.yaml --owner team-a --prune

Without a cluster there is no ledger: the owner tag on AWS objects tells what is ours, so give
each set of files an owner of its own. Where a network is suspended, or it or its class says
mode: Observe, nothing is written.

Exit codes:
  0  AWS is as the files want it
  1  an error, or a problem that stands in the way";

pub(super) const DELETE_HELP: &str = "\
Examples:
  dmsnet delete -f class.yaml network.yaml
  dmsnet delete -f network.yaml --owner team-a

Removes what the files want, carries this owner's tag and no other owner's; with
deletionPolicy: Retain only the owner tag is taken off. Waits until VPC endpoints and their
groups are gone.

Exit codes:
  0  nothing of it is left, or what is left is to stay
  1  an error, or something that could not be removed";

pub(super) const PLAN_USAGE: &str = "\
dmsnet plan [OPTIONS] -f <FILE>...
       dmsnet plan [OPTIONS] [-n <NAMESPACE>] <NAME>...";

pub(super) const EXPLAIN_USAGE: &str = "\
dmsnet explain [OPTIONS] -f <FILE>...
       dmsnet explain [OPTIONS] [-n <NAMESPACE>] <NAME>...";

pub(super) const DIAGRAM_USAGE: &str = "\
dmsnet diagram [OPTIONS] -f <FILE>...
       dmsnet diagram [OPTIONS] [-n <NAMESPACE>] <NAME>...";

pub(super) const SNAPSHOT_USAGE: &str = "\
dmsnet snapshot [OPTIONS] -o <FILE> -f <FILE>...
       dmsnet snapshot [OPTIONS] -o <FILE> [-n <NAMESPACE>] <NAME>...";

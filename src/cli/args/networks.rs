//! Which networks a command is about, and where they are written.

use std::path::PathBuf;

use clap::Args;

use super::{Color, Output};
use crate::model::Owner;

/// Which networks: those in files, or some in a cluster.
#[derive(Clone, Debug, Args)]
pub struct NetworkArgs {
    /// Names of DmsNetworks in a cluster, instead of files; they are read with the kubeconfig
    #[arg(value_name = "NAME", required_unless_present = "files", conflicts_with = "files")]
    pub names: Vec<String>,
    /// Files with DmsNetworks and their DmsNetworkClasses, as YAML or JSON; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Namespace of the networks that are named [default: the kubeconfig's]
    #[arg(short, long, value_name = "NAMESPACE", requires = "names", conflicts_with = "files")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "CONTEXT", requires = "names", conflicts_with = "files")]
    pub context: Option<String>,
}

/// Which files, and how to speak of what is in them.
#[derive(Clone, Debug, Args)]
pub struct FileArgs {
    /// Files with DmsNetworks and their DmsNetworkClasses, as YAML or JSON; `-` is standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1.., value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
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

/// Reads an owner's name.
pub(super) fn owner(name: &str) -> Result<Owner, String> {
    Owner::parse(name).map_err(|e| e.to_string())
}

//! The command line of the policy server.

use std::path::PathBuf;

use clap::Parser;

/// One place for teams, keys, policies, gateways and the merged audit log.
#[derive(Debug, Parser)]
#[command(name = "airiskguard-policy-server", version)]
pub(crate) struct Arguments {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", env = "AIRISKGUARD_POLICY_SERVER_HOST")]
    pub(crate) host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, short, value_name = "PORT", default_value_t = 8090, env = "AIRISKGUARD_POLICY_SERVER_PORT")]
    pub(crate) port: u16,
    /// The server's own folder: database, journal and keys
    #[arg(long, value_name = "FOLDER", default_value = "airiskguard-control")]
    pub(crate) data_dir: PathBuf,
    /// Settings (policy-server.yaml); the defaults without
    #[arg(long, short, value_name = "FILE", env = "AIRISKGUARD_POLICY_SERVER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The master key, 64 hex digits, instead of the file `master.key` in the folder
    #[arg(long, value_name = "HEX", env = "AIRISKGUARD_MASTER_KEY", hide_env_values = true)]
    pub(crate) master_key: Option<String>,
    /// Certificate chain, PEM; HTTPS with `--tls-key`
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "AIRISKGUARD_POLICY_SERVER_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "AIRISKGUARD_POLICY_SERVER_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Write the address that is listened on into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,
    /// Look at settings and certificate, say what is wrong with them, and end
    #[arg(long)]
    pub(crate) check: bool,
}

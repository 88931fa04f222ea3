//! The command line: the seed's flags, and the commands beside serving.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Proxy between AI coding tools and AI providers: scans, redacts, blocks and records.
#[derive(Debug, Parser)]
#[command(name = "airiskguard-gateway", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What `serve`, the default, takes.
#[derive(Args, Debug, Clone)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Disable TLS
    #[arg(long)]
    pub(crate) no_tls: bool,
    /// Bind host (default: 0.0.0.0)
    #[arg(long, value_name = "TEXT")]
    pub(crate) host: Option<String>,
    /// Bind port (default: 8080); 0 takes a free one
    #[arg(long, short, value_name = "INTEGER")]
    pub(crate) port: Option<u16>,
    /// Log level: debug|info|warning|error
    #[arg(long, value_name = "TEXT", env = "LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Write the addresses that are listened on into this file, one a line
    #[arg(long, value_name = "PATH")]
    pub(crate) port_file: Option<PathBuf>,
}

/// Where the configuration comes from and which checkers replace its own.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Config {
    /// Path to gateway YAML config file (default: gateway.yaml here, else the built-in one)
    #[arg(long, short, value_name = "PATH", env = "AIRISKGUARD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Override outbound checkers
    #[arg(long, value_name = "CHECKER", value_delimiter = ',')]
    pub(crate) outbound_checks: Vec<String>,
    /// Override inbound checkers
    #[arg(long, value_name = "CHECKER", value_delimiter = ',')]
    pub(crate) inbound_checks: Vec<String>,
}

/// Commands beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a configuration and explain what it does
    Check {
        #[command(flatten)]
        config: Config,
    },
    /// Scan files or standard input with the gateway's rules
    Scan(Scan),
    /// List, try and explain rules: the catalogue and the files of `rules:`
    #[command(subcommand)]
    Rules(Rules),
    /// Fingerprint the company's own secrets, so that the gateway knows them without holding them
    Fingerprint(Fingerprint),
    /// Try the channels of `notifications:`
    #[cfg(feature = "audit")]
    #[command(subcommand)]
    Alerts(Alerts),
    /// Make a gateway key and the digest to put into gateway.yaml
    Keygen {
        /// Team name that becomes part of the key
        #[arg(long, value_name = "NAME", default_value = "team")]
        team: String,
    },
    /// Print the lines a developer pastes to connect a client
    Connect {
        /// The client
        client: Client,
        /// The gateway's address, such as https://gateway.company.com
        #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
        url: String,
        /// The team's gateway key
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
}

/// What `alerts` does.
#[cfg(feature = "audit")]
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Send one made-up alert through each channel and print what came back
    Test {
        /// Path to gateway YAML config file (default: gateway.yaml here, else the built-in one)
        #[arg(long, short, value_name = "PATH", env = "AIRISKGUARD_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// What `rules` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// List all rules
    List {
        /// Only the rules of this checker
        #[arg(long, value_name = "CHECKER")]
        checker: Option<String>,
        /// Print one JSON object per rule
        #[arg(long)]
        json: bool,
        /// Print the tables of docs/rules.md
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// Path to gateway YAML config file whose rule files count, too (default: gateway.yaml here, else none)
        #[arg(long, short, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Try rules on their own examples, cut at every byte
    Test {
        /// Rule files; the built-in catalogue when there are none
        files: Vec<PathBuf>,
    },
    /// Say everything about one rule
    Explain {
        /// Its id, such as secrets.aws.access_key
        rule: String,
        /// Path to gateway YAML config file whose rule files count, too (default: gateway.yaml here, else none)
        #[arg(long, short, value_name = "PATH")]
        config: Option<PathBuf>,
    },
}

/// What `scan` takes.
#[derive(Args, Debug)]
pub(crate) struct Scan {
    /// Files to scan; `-` or none for standard input
    pub(crate) paths: Vec<PathBuf>,
    /// Which way the text flows: outbound|inbound
    #[arg(long, value_name = "DIRECTION", default_value = "outbound")]
    pub(crate) direction: String,
    /// Checkers to run (default: those of the direction)
    #[arg(long, value_name = "CHECKER", value_delimiter = ',')]
    pub(crate) checks: Vec<String>,
    /// Print one JSON object per file
    #[arg(long)]
    pub(crate) json: bool,
    /// Read lines {"id","text","direction"?,"source"?,"language"?} and print a line for each
    #[arg(long, conflicts_with = "json")]
    pub(crate) jsonl: bool,
    /// Path to gateway YAML config file whose policies decide (default: the built-in policies)
    #[arg(long, short, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// What `fingerprint` takes.
#[derive(Args, Debug)]
pub(crate) struct Fingerprint {
    /// Files with secrets; `-` or none for standard input
    pub(crate) paths: Vec<PathBuf>,
    /// How secrets stand there (default: by the file's extension, else one a line)
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Keep each value's name (the variable, the key) as the type of its findings
    #[arg(long)]
    pub(crate) labels: bool,
    /// The values are canaries: planted where nobody has a reason to read
    #[arg(long)]
    pub(crate) canary: bool,
    /// Take values that read like ordinary text, too: they are found wherever they stand
    #[arg(long)]
    pub(crate) all: bool,
    /// Shortest value of an env, json or yaml file that is taken, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 12)]
    pub(crate) length_min: usize,
    /// Print the digest of each value, of any length, for `fingerprint:` in an exception
    #[arg(long)]
    pub(crate) digest: bool,
    /// File that holds the key (default: the variable AIRISKGUARD_FINGERPRINT_KEY)
    #[arg(long, value_name = "PATH")]
    pub(crate) key_file: Option<PathBuf>,
    /// Write into this file (default: standard output)
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
}

/// How secrets stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One a line
    Lines,
    /// KEY=value
    Env,
    /// A JSON tree, such as a vault's export: every text in it
    Json,
    /// A YAML tree: every text in it
    Yaml,
}

/// Clients that `connect` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code
    ClaudeCode,
    /// Codex CLI
    Codex,
    /// GitHub Copilot CLI
    CopilotCli,
    /// OpenAI SDKs and tools that follow them
    OpenaiSdk,
    /// Azure OpenAI SDKs
    Azure,
    /// Gemini CLI
    Gemini,
}

//! The command line: the seed's flags, and the commands beside serving.

use std::path::{Path, PathBuf};

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
    /// Take the place of the gateway that uses the same audit folder: get ready, print `ready`, and serve once it lets go
    #[arg(long)]
    pub(crate) take_over: bool,
}

/// Where the configuration comes from.
#[derive(Args, Debug, Clone)]
pub(crate) struct ConfigFile {
    /// Path to gateway YAML config file (default: gateway.yaml here, else the built-in one)
    #[arg(long, short, value_name = "PATH", env = "AIRISKGUARD_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigFile {
    pub(crate) fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// The configuration, and which checkers replace its own.
#[derive(Args, Debug, Clone)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
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
    /// Verify, search, follow and export the audit log
    #[cfg(feature = "audit")]
    #[command(subcommand)]
    Audit(Box<Audit>),
    /// Try the channels of `notifications:`
    #[cfg(feature = "audit")]
    #[command(subcommand)]
    Alerts(Alerts),
    /// List who is kept out by this gateway's own rules, and release them
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Enrol this gateway at a policy server, once
    #[cfg(feature = "control")]
    #[command(alias = "enrol")]
    Enroll(Enroll),
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

/// What `enroll` takes.
#[cfg(feature = "control")]
#[derive(Args, Debug)]
pub(crate) struct Enroll {
    /// The policy server, such as https://policy.company.com (default: `control.server` of the configuration)
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The one-time token that an administrator made there
    #[arg(long, value_name = "TOKEN", env = "AIRISKGUARD_ENROLMENT_TOKEN", hide_env_values = true)]
    #[arg(required_unless_present = "token_file")]
    pub(crate) token: Option<String>,
    /// The file with the token, instead of the token
    #[arg(long, value_name = "PATH", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Do nothing where the gateway is enrolled already: for what runs before every start
    #[arg(long)]
    pub(crate) unless_enrolled: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

/// What `quarantine` does.
#[cfg(feature = "serve")]
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// List who is kept out, since when and why
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Let somebody in again; a gateway that runs does so at once
    Release {
        /// The references, as `list` and the developer's message name them
        #[arg(required = true, value_name = "REFERENCE")]
        references: Vec<String>,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// What `alerts` does.
#[cfg(feature = "audit")]
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Send one made-up alert through each channel and print what came back
    Test {
        #[command(flatten)]
        config: ConfigFile,
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

/// What `audit` does.
#[cfg(feature = "audit")]
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Verify that records are what their gateways wrote: every field, every row, in order, to the end
    Verify(Verify),
    /// Write records into a file, with a signed manifest that verifies offline
    Export(Export),
    /// Print records that match, newest first
    Search(Search),
    /// Print the newest records, and those that come
    Tail(Tail),
}

/// What `audit verify` takes.
#[cfg(feature = "audit")]
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// An exported file (JSON lines) in place of the store; its manifest lies beside it
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// The public key that signatures must be of, hex (default: that of this gateway's folder)
    #[arg(long, value_name = "HEX")]
    pub(crate) key: Option<String>,
    /// A newest record noted before, as verify prints it: it must still be there
    #[arg(long, value_name = "NUMBER:HASH")]
    pub(crate) head: Option<KnownHead>,
}

/// A head on the command line.
#[cfg(feature = "audit")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownHead(pub(crate) airiskguard_gateway::store::Head);

#[cfg(feature = "audit")]
impl std::str::FromStr for KnownHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::audit::parse_head(text).map(KnownHead)
    }
}

/// A moment on the command line: RFC 3339, a date, or `2h` ago.
#[cfg(feature = "audit")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) u64);

#[cfg(feature = "audit")]
impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::audit::parse_moment(text).map(Moment)
    }
}

/// How records are exported.
#[cfg(feature = "audit")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One object a line, complete and verifiable
    Jsonl,
    /// The main columns, for spreadsheets
    Csv,
}

/// What `audit export` takes.
#[cfg(feature = "audit")]
#[derive(Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The file to write; the manifest goes beside it
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: PathBuf,
    /// jsonl or csv
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// Written at this moment or later: 2026-11-22, 2026-11-22T10:00:00Z, or 24h (ago)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Moment>,
    /// Written before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

/// What `audit search` takes; all that is given must hold.
#[cfg(feature = "audit")]
#[derive(Args, Debug)]
pub(crate) struct Search {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Of this team
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// Of this session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// With a finding of this rule
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<String>,
    /// With this model
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// With this most severe action: block, redact, review, flag, log or allow
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,
    /// With this highest risk: low, medium, high or critical
    #[arg(long, value_name = "RISK")]
    pub(crate) risk: Option<String>,
    /// exchange, decision, act or checkpoint
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// With this request id
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Of this gateway
    #[arg(long, value_name = "NAME")]
    pub(crate) gateway: Option<String>,
    /// Written at this moment or later: 2026-11-22, 2026-11-22T10:00:00Z, or 24h (ago)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Moment>,
    /// Written before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) limit: usize,
    /// Print the records as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the text that was kept (audit.full_text), too
    #[arg(long)]
    pub(crate) text: bool,
}

/// What `audit tail` takes.
#[cfg(feature = "audit")]
#[derive(Args, Debug)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// So many of the newest first
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub(crate) lines: usize,
    /// Go on with those that come, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print the records as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

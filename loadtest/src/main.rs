//! The command line: `provider`, `run`, `compare`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use airiskguard_loadtest::client::{Client, Target};
use airiskguard_loadtest::compare::peer::Setting;
use airiskguard_loadtest::compare::{self, Plan, Results, absolute, holds, results};
use airiskguard_loadtest::files;
use airiskguard_loadtest::load::Stage;
use airiskguard_loadtest::measure::Phase;
use airiskguard_loadtest::process::Watched;
use airiskguard_loadtest::provider::{Behaviour, Provider};
use airiskguard_loadtest::report::Report;
use airiskguard_loadtest::run;
use airiskguard_loadtest::scenario::Scenario;
use clap::{Args, Parser, Subcommand};

/// Load for AI gateways.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer as Anthropic and OpenAI do, until interrupted
    Provider(ProviderArguments),
    /// Run one scenario against one gateway and write its report
    Run(RunArguments),
    /// Measure peers side by side in turns, and print what must hold
    Compare(CompareArguments),
}

#[derive(Args)]
struct ProviderArguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Milliseconds until an answer begins
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency: u64,
    /// Tokens of an answer
    #[arg(long, default_value_t = 32)]
    tokens: usize,
    /// Milliseconds between two tokens of a stream
    #[arg(long, default_value_t = 0, value_name = "MS")]
    token_gap: u64,
    /// Part of the requests that get an error, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    error_rate: f64,
    /// Part of the answers that take twenty times as long
    #[arg(long, default_value_t = 0.0)]
    slow_rate: f64,
    /// Part of the answers that break off half way
    #[arg(long, default_value_t = 0.0)]
    dying_rate: f64,
    /// Part of the Anthropic streams that end in a tool call
    #[arg(long, default_value_t = 0.0)]
    tool_rate: f64,
}

#[derive(Args)]
struct RunArguments {
    /// The scenario
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Base URL of the gateway
    #[arg(long, value_name = "URL")]
    target: String,
    /// Key that clients send
    #[arg(long, env = "LOADTEST_KEY", hide_env_values = true, default_value = "loadtest")]
    key: String,
    /// A header that clients send
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Where the load test's own provider listens, which the gateway is configured to forward to
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDRESS")]
    provider: SocketAddr,
    /// The provider is another one: what happened between it and the client is not measured then
    #[arg(long)]
    no_provider: bool,
    /// A process of the gateway on this machine; its threads and children count, too
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// Part of the scenario, to try it out
    #[arg(long, default_value_t = 1.0)]
    part: f64,
    /// Folder for the reports
    #[arg(long, default_value = "target/loadtest", value_name = "FOLDER")]
    out: PathBuf,
}

#[derive(Args)]
struct CompareArguments {
    /// Peers; all of `loadtest/peers`, if none is named
    #[arg(long, value_delimiter = ' ', num_args = 0..)]
    peers: Vec<String>,
    /// Scenarios; those that peers name, if none is named
    #[arg(long, value_delimiter = ' ', num_args = 0..)]
    scenarios: Vec<String>,
    /// Rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Part of each scenario: small values are for trying things out
    #[arg(long, default_value_t = 1.0)]
    part: f64,
    /// The gateway's binary
    #[arg(long, default_value = "target/release/airiskguard-gateway", value_name = "FILE")]
    gateway: PathBuf,
    /// Bare Pingora's binary
    #[arg(long, default_value = "target/release/examples/bare_pingora", value_name = "FILE")]
    bare: PathBuf,
    /// Where peers were installed
    #[arg(long, default_value = "target/peers", value_name = "FOLDER")]
    installed: PathBuf,
    /// Folder of peers and scenarios
    #[arg(long, default_value = "loadtest", value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder for what was measured
    #[arg(long, default_value = "target/loadtest", value_name = "FOLDER")]
    out: PathBuf,
    /// Also write the results here
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let work = async {
        match Arguments::parse().command {
            Command::Provider(arguments) => provider(arguments).await,
            Command::Run(arguments) => run_one(arguments).await,
            Command::Compare(arguments) => compare_peers(arguments).await,
        }
    };
    // Dropped where it stands: peers that were started end with it.
    let done = tokio::select! {
        done = work => done,
        () = terminated() => Err("interrupted".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for the signal that ends services. Without it, waits for ever.
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

async fn provider(arguments: ProviderArguments) -> Result<(), String> {
    let behaviour = Behaviour {
        latency_ms: arguments.latency,
        tokens: arguments.tokens,
        token_gap_ms: arguments.token_gap,
        error_rate: arguments.error_rate,
        slow_rate: arguments.slow_rate,
        dying_rate: arguments.dying_rate,
        tool_rate: arguments.tool_rate,
    };
    let provider = Provider::start(arguments.listen, behaviour, false).await.map_err(|error| error.to_string())?;
    println!("listening on http://{}", provider.address());
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    println!("{}", serde_json::to_string(&provider.counted()).unwrap_or_default());
    Ok(())
}

async fn run_one(arguments: RunArguments) -> Result<(), String> {
    let scenario = Scenario::read(&arguments.scenario)?.scaled(arguments.part);
    let provider = if arguments.no_provider {
        None
    } else {
        let started = Provider::start(arguments.provider, Behaviour::default(), true).await;
        Some(started.map_err(|error| format!("the provider cannot listen on {}: {error}", arguments.provider))?)
    };
    let headers = arguments.header.iter().map(|it| {
        let (name, value) = it.split_once(':').ok_or_else(|| format!("a header is `NAME: VALUE`, not {it}"))?;
        Ok((name.trim().to_string(), value.trim().to_string()))
    });
    let headers = headers.collect::<Result<Vec<_>, String>>()?;
    let target = Target::parse(&arguments.target)?;
    let client = Client::new(target, Some(&arguments.key), &headers, provider.clone())?;
    let watched = Watched::new(arguments.pid);
    if !watched.is_empty() && !watched.alive() {
        return Err("--pid names a process that is not there".into());
    }
    let stage = Stage { client: Arc::new(client), watched, label: Some(String::new()) };
    let phases = run::execute(&stage, provider.as_deref(), &scenario).await;
    let report = Report::new(&scenario.name, &scenario.words, phases);
    report.write(&arguments.out).map_err(|error| error.to_string())?;
    println!("{}", report.markdown());
    eprintln!("{0}.md, {0}.json and {0}.html are in {1}", report.name, arguments.out.display());
    if report.phases.iter().all(|it| it.succeeded == 0) {
        return Err("not one request succeeded".into());
    }
    Ok(())
}

async fn compare_peers(arguments: CompareArguments) -> Result<(), String> {
    let out = absolute(&arguments.out);
    let plan = Plan {
        peers_folder: arguments.folder.join("peers"),
        scenarios_folder: arguments.folder.join("scenarios"),
        peers: named(arguments.peers),
        scenarios: named(arguments.scenarios),
        rounds: arguments.rounds.max(1),
        part: arguments.part,
        setting: Setting {
            installed: absolute(&arguments.installed),
            runs: out.join("peers"),
            gateway: absolute(&arguments.gateway),
            bare: absolute(&arguments.bare),
        },
    };
    let results = compare::compare(&plan).await?;
    let json = serde_json::to_string_pretty(&results).map_err(|error| error.to_string())?;
    files::write(&out.join("compare.json"), &json).map_err(|error| error.to_string())?;
    let lines = holds::table(&results, soak(&out, &results).as_ref());
    println!("{}", holds::markdown(&lines));
    let text = results::markdown(&results, &lines, "make bench-peers");
    files::write(&out.join("compare.md"), &text).map_err(|error| error.to_string())?;
    if let Some(path) = &arguments.results {
        files::write(path, &text).map_err(|error| error.to_string())?;
    }
    for entry in results.entries.iter().filter(|it| it.problem.is_some()) {
        eprintln!("not measured: {}: {}", entry.name, entry.problem.as_deref().unwrap_or_default());
    }
    eprintln!("everything that was measured is in {}", arguments.out.display());
    Ok(())
}

/// A list from the command line, where an empty one may stand for nothing.
fn named(list: Vec<String>) -> Vec<String> {
    list.into_iter().filter(|it| !it.is_empty()).collect()
}

/// The soak of this run, or of the one before that `make soak` left beside it.
fn soak(out: &Path, results: &Results) -> Option<Phase> {
    let of = |results: &Results| results.measures.iter().find(|it| it.scenario == "soak").map(|it| it.phase.clone());
    let earlier = || {
        let text = files::text(&out.join("soak/compare.json")).ok()?;
        of(&serde_json::from_str(&text).ok()?)
    };
    of(results).or_else(earlier)
}

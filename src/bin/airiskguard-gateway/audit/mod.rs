//! `audit`: verify the chain, search it, follow it, export it.

mod export;
mod search;
mod verify;

use std::io::Write;

use airiskguard_gateway::config::{File, Overrides};
use airiskguard_gateway::store::{self, Directory, Store};

use crate::arguments::{Audit, ConfigFile};
use crate::{configuration, records};

pub(crate) use self::export::parse_head;
pub(crate) use self::search::parse_moment;

/// Runs the command. Exit code 1: the chain is not what was written, or nothing matched.
pub(crate) fn run(command: &Audit, out: &mut dyn Write) -> Result<u8, String> {
    match command {
        Audit::Verify(options) => match &options.file {
            Some(path) => verify::exported(path, options, out),
            None => with_store(&options.config, async |opened| verify::stored(opened, options, out).await),
        },
        Audit::Export(options) => with_store(&options.config, async |opened| export::run(opened, options).await),
        Audit::Search(options) => with_store(&options.config, async |opened| search::run(opened, options, out).await),
        Audit::Tail(options) => with_store(&options.config, async |opened| search::tail(opened, options, out).await),
    }
}

/// A store, opened, and the gateway's folder beside it, where there is one.
struct Opened {
    store: Box<dyn Store>,
    directory: Option<Directory>,
}

fn with_store(config: &ConfigFile, work: impl AsyncFnOnce(&Opened) -> Result<u8, String>) -> Result<u8, String> {
    let (file, _) = configuration::load(config.path(), &Overrides::default())?;
    records::block_on(async {
        let opened = open(&file).await?;
        work(&opened).await
    })?
}

async fn open(file: &File) -> Result<Opened, String> {
    let target = records::target(file);
    if let Some(path) = target.expose().strip_prefix("sqlite:")
        && !std::path::Path::new(path).is_file()
    {
        return Err(format!("there is no audit store at {path} (audit.store): has a gateway recorded anything yet?"));
    }
    let store = store::open(target.expose()).await.map_err(|error| error.to_string())?;
    Ok(Opened { store, directory: Directory::look(&records::directory(file)) })
}

/// What a closed standard output is to a command: the end, not a mistake.
fn written(result: std::io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

//! `control: {embedded: true}`: the control plane in this process, over this gateway's own folder and database, with its
//! pages on the admin listener. The gateway follows it as it would follow one elsewhere.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use airiskguard_gateway::config::{File, PolicyServer};
use airiskguard_gateway::control::{self, Control, Settings};
use airiskguard_gateway::edge::Pages;
use airiskguard_gateway::sinks::Scribe;
use airiskguard_gateway::store::Directory;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::{configuration, records};

/// Operators that are served at once; more have to try again.
const CONNECTIONS_MAX: usize = 256;
/// How often it is asked: it is near, and an administrator waits.
const POLL: Duration = Duration::from_secs(1);
const THREADS: usize = 2;

/// The control plane of this process.
pub(crate) struct Embedded {
    control: Control,
    runtime: Runtime,
    /// Where this gateway reaches it.
    server: PolicyServer,
}

impl Embedded {
    /// `None` where the file wants none. This gateway is one of its own afterwards.
    pub(crate) fn open(
        file: &File,
        directory: Option<&Directory>,
        admin: Option<&TcpListener>,
    ) -> Result<Option<Embedded>, String> {
        if !file.control.embedded {
            return Ok(None);
        }
        let admin = admin.ok_or("`control.embedded` needs `admin.listen`: that is where its pages are")?;
        let directory =
            directory.ok_or("`control.embedded` needs `audit_enabled: true`: it keeps what it is told there")?;
        let address =
            admin.local_addr().map_err(|error| format!("cannot tell where the admin listener is: {error}"))?;
        let near = nearest(address);
        let server = PolicyServer { poll: POLL, ..PolicyServer::at(&format!("http://{near}"))? };
        let settings = settings(file.control.settings.as_deref(), near)?;
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(THREADS).thread_name("control").enable_all().build();
        let runtime = runtime.map_err(|error| format!("no threads to be had: {error}"))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the master key of the control plane, as its own program takes it"
        )]
        let master_key = std::env::var("AIRISKGUARD_MASTER_KEY").ok();
        let target = records::target(file);
        let control = runtime.block_on(async {
            let control = Control::open(directory.path(), &target, settings, master_key.as_deref()).await?;
            control.adopt(directory, &server).await.map(|()| control)
        })?;
        Ok(Some(Embedded { control, runtime, server }))
    }

    /// The file, with this control plane as the server to follow.
    pub(crate) fn followed_by(&self, file: &File) -> File {
        let mut file = file.clone();
        file.control.server = Some(self.server.clone());
        file
    }

    /// Serves on connections that are handed over, for as long as the process lives. The line that leads to the first page,
    /// where there is one.
    pub(crate) fn start(self, folder: &Path, scribe: Option<Scribe>) -> Result<(Pages, Option<String>), String> {
        let Embedded { control, runtime, .. } = self;
        if let Some(scribe) = scribe {
            control.writes_to(scribe);
        }
        let first_run = runtime.block_on(control.first_run(folder))?;
        runtime.spawn(control.clone().look_after());
        let app = control::app(control);
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let handle = runtime.handle().clone();
        // Dropped with the process: what hands connections over lives as long.
        let runtime = Arc::new(runtime);
        let pages: Pages = Arc::new(move |stream, read, address| {
            let (app, _runtime) = (app.clone(), runtime.clone());
            // Over the cap the connection is closed; the browser says so.
            let Ok(permit) = permits.clone().try_acquire_owned() else { return };
            handle.spawn(async move {
                let _permit = permit;
                control::serve_handed(app, stream, read, address).await;
            });
        });
        Ok((pages, first_run))
    }
}

/// Where this machine reaches what listens there.
fn nearest(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => (IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()).into(),
        _ => address,
    }
}

fn settings(path: Option<&str>, near: SocketAddr) -> Result<Settings, String> {
    #[expect(clippy::disallowed_methods, reason = "this is the binary, which hands it on")]
    let environment = |name: &str| std::env::var(name).ok();
    let mut settings = match path {
        Some(path) => {
            let text = configuration::read(Path::new(path)).map_err(|error| format!("cannot read {path}: {error}"))?;
            Settings::parse_with(&text, &environment).map_err(|error| format!("{path}: {error}"))?
        }
        None => Settings::default(),
    };
    if settings.public_url == Settings::default().public_url {
        settings.public_url = format!("http://{near}");
    }
    Ok(settings)
}

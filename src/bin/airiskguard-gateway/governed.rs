//! A gateway that follows a policy server: what it starts with, and who is told of what comes.

#[cfg(feature = "control")]
mod followed {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use airiskguard_gateway::config::File;
    pub(crate) use airiskguard_gateway::control::agent::Told;
    use airiskguard_gateway::control::agent::{Following, Parts, Setup, Shipping};
    use airiskguard_gateway::pipeline::Live;
    use airiskguard_gateway::sinks::{self, Metrics, Reader, Scribe};
    use airiskguard_gateway::store::{Directory, Head, Marker};

    use crate::records;
    use crate::reload::{self, Reloader};

    /// The server that is followed.
    pub(crate) struct Followed(Following);

    impl Followed {
        /// `None` where the file follows none.
        pub(crate) fn open(file: &File, directory: &Directory) -> Result<Option<Followed>, String> {
            let Some(server) = &file.control.server else { return Ok(None) };
            // Before the first TLS handshake of this process.
            drop(rustls::crypto::ring::default_provider().install_default());
            let following = Following::open(directory.path(), server)?;
            if *following.enrolment.name != *directory.gateway()? {
                return Err("this folder was enrolled under another gateway's name: enrol it anew".to_owned());
            }
            Ok(Some(Followed(following)))
        }

        pub(crate) fn told(&self) -> Option<Told> {
            self.0.told().cloned()
        }

        pub(crate) fn governed(&self, local: &File) -> File {
            self.0.governed(local)
        }

        pub(crate) fn drop_told(&mut self, why: String) {
            self.0.drop_told(why);
        }

        /// Who ships records there. Nothing is given up, however long the server is away: what the journal cannot hold
        /// any more is sent from the local store.
        pub(crate) fn reader(
            &self,
            file: &File,
            directory: &Directory,
            gateway: &Arc<str>,
            signing: &[u8; 32],
            head: Head,
        ) -> Reader {
            let cursor = directory.cursor(Shipping::NAME);
            let is_new = !cursor.is_file();
            let parts = Parts {
                gateway: gateway.clone(),
                marker: Marker::new(gateway, signing),
                start: is_new.then_some(head),
                store: file.audit_enabled.then(|| records::target(file)),
            };
            let known = if is_new { head.sequence } else { 0 };
            let following = sinks::Following::new(cursor, Some(Duration::MAX), known);
            Reader { outlet: Box::new(self.0.shipping(parts)), following }
        }

        /// Follows from now on.
        pub(crate) fn start(
            self,
            reloader: &Arc<Mutex<Reloader>>,
            live: Arc<Live>,
            metrics: Arc<Metrics>,
            scribe: Option<Scribe>,
        ) -> Result<(), String> {
            if let Some(why) = self.0.unusable() {
                tracing::error!(
                    "what the policy server said last cannot be used, nobody is served until it answers: {why}"
                );
            }
            let reloader = reloader.clone();
            let offer = Box::new(move |told: &Told| reload::lock(&reloader).offer(told));
            let setup = Setup { live, metrics, scribe, offer };
            self.0.start(setup).map_err(|error| format!("cannot follow the policy server: {error}"))
        }
    }
}

/// Without the control plane there is nobody to follow.
#[cfg(not(feature = "control"))]
mod followed {
    use std::sync::{Arc, Mutex};

    use airiskguard_gateway::config::File;
    use airiskguard_gateway::pipeline::Live;
    use airiskguard_gateway::sinks::{Metrics, Reader, Scribe};
    use airiskguard_gateway::store::{Directory, Head};

    use crate::reload::Reloader;

    pub(crate) enum Followed {}

    #[derive(Clone)]
    pub(crate) struct Told {
        pub(crate) generation: u64,
        pub(crate) file: File,
    }

    impl Followed {
        pub(crate) fn open(file: &File, _: &Directory) -> Result<Option<Followed>, String> {
            match file.control.server {
                Some(_) => Err("this program was built without the feature `control`: it follows no server".to_owned()),
                None => Ok(None),
            }
        }

        pub(crate) fn told(&self) -> Option<Told> {
            match *self {}
        }

        pub(crate) fn governed(&self, _: &File) -> File {
            match *self {}
        }

        pub(crate) fn drop_told(&mut self, _: String) {
            match *self {}
        }

        pub(crate) fn reader(&self, _: &File, _: &Directory, _: &Arc<str>, _: &[u8; 32], _: Head) -> Reader {
            match *self {}
        }

        pub(crate) fn start(
            self,
            _: &Arc<Mutex<Reloader>>,
            _: Arc<Live>,
            _: Arc<Metrics>,
            _: Option<Scribe>,
        ) -> Result<(), String> {
            match self {}
        }
    }
}

pub(crate) use self::followed::{Followed, Told};

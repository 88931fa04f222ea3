//! Without the feature `control` there is no control plane to embed.

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::Path;

use airiskguard_gateway::config::File;
use airiskguard_gateway::edge::Pages;
use airiskguard_gateway::sinks::Scribe;
use airiskguard_gateway::store::Directory;

/// Never there.
pub(crate) struct Embedded(Infallible);

impl Embedded {
    pub(crate) fn open(
        file: &File,
        _: Option<&Directory>,
        _: Option<&TcpListener>,
    ) -> Result<Option<Embedded>, String> {
        match file.control.embedded {
            true => Err("this program was built without the feature `control`: it embeds no control plane".to_owned()),
            false => Ok(None),
        }
    }

    pub(crate) fn followed_by(&self, _: &File) -> File {
        match self.0 {}
    }

    pub(crate) fn start(self, _: &Path, _: Option<Scribe>) -> Result<(Pages, Option<String>), String> {
        match self.0 {}
    }
}

//! What pages load: one stylesheet, one script, one icon, all in the program. Their content is in their path, so that
//! browsers keep them for good.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::control::Problem;
use crate::control::http::{Access, Path, Route, page};
use crate::control::seal::digest;

/// Digits of the content's digest in the path.
const DIGEST_DIGITS: usize = 12;

/// A file that pages load.
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    path: LazyLock<String>,
}

pub(crate) static STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("../../../web/assets/style.css"),
    path: LazyLock::new(|| path_of(&STYLE)),
};

pub(crate) static SCRIPT: Asset = Asset {
    name: "page.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../../web/assets/page.js"),
    path: LazyLock::new(|| path_of(&SCRIPT)),
};

pub(crate) static MARK: Asset = Asset {
    name: "mark.svg",
    kind: "image/svg+xml",
    text: include_str!("../../../web/assets/mark.svg"),
    path: LazyLock::new(|| path_of(&MARK)),
};

impl Asset {
    /// Where browsers find it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

fn path_of(asset: &Asset) -> String {
    let digest = digest(asset.text);
    format!("/assets/{}/{}", digest.get(..DIGEST_DIGITS).unwrap_or_default(), asset.name)
}

pub(super) fn routes() -> Vec<Route> {
    let access = Access::Open("the same for everyone, and needed to sign in");
    vec![page("pages.asset", "/assets/{digest}/{name}", access, asset).says("What pages load")]
}

async fn asset(Path((digest, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let wanted = format!("/assets/{digest}/{name}");
    let Some(asset) = [&STYLE, &SCRIPT, &MARK].into_iter().find(|it| it.path() == wanted) else {
        return Err(Problem::not_found("file", &name));
    };
    let headers = [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.text).into_response())
}

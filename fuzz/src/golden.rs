//! The golden exchanges as material: what clients and providers really say, with its made-up keys put together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

/// One exchange without its configuration.
pub(crate) struct Golden {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) status: u16,
    pub(crate) request: Vec<u8>,
    /// Body of the answer, and whether it is a stream.
    pub(crate) answer: Option<(Vec<u8>, bool)>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    status: Option<u16>,
}

/// All of them, in the order of their names.
pub(crate) static ALL: LazyLock<Vec<Golden>> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The replay in the tests stands one folder higher than the fuzzers.
    let root = [here.join("tests/golden"), here.join("../tests/golden")].into_iter().find(|it| it.is_dir());
    let mut folders = folders(&root.expect("the golden exchanges are there"));
    folders = folders.iter().flat_map(|it| self::folders(it)).collect();
    folders.sort();
    folders.iter().map(|it| read(it)).collect()
});

fn folders(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()).collect()
}

fn text(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok().map(|text| text.replace('¦', ""))
}

fn read(folder: &Path) -> Golden {
    let written: Written = serde_yaml::from_str(&text(folder, "exchange.yaml").unwrap()).unwrap();
    let stream = text(folder, "response.sse").map(|it| (it.into_bytes(), true));
    let answer = stream.or_else(|| text(folder, "response.json").map(|it| (it.into_bytes(), false)));
    Golden {
        method: written.method.unwrap_or_else(|| "POST".to_owned()),
        path: written.path,
        headers: written.headers.into_iter().collect(),
        status: written.status.unwrap_or(200),
        request: text(folder, "request.json").unwrap_or_default().into_bytes(),
        answer,
    }
}

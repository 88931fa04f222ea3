//! Violations that the checks must find, near misses that they must not, and a small healthy tree to plant them in.

use super::source::Source;
use super::{FILE_LINES_MAX, FUNCTION_LINES_MAX, ROOMS, STATUS_FILES};

/// `(check, path, text)`: each text breaks that one rule.
const PLANTED: &[(&str, &str, &str)] = &[
    ("imports", "src/domain/risk.rs", "//! R.\nuse crate::scan::Engine;\n"),
    ("imports", "src/domain/risk.rs", "//! R.\nuse crate::{domain::Team, wire::json};\n"),
    ("imports", "src/domain/risk.rs", "//! R.\nuse super::super::config::File;\n"),
    ("imports", "src/domain/mod.rs", "//! R.\nmod inner { use super::super::{config::File}; }\n"),
    ("imports", "src/domain/risk.rs", "//! R.\nfn f() { crate::pipeline::run() }\n"),
    ("imports", "src/domain/risk.rs", "//! R.\nuse crate::*;\n"),
    ("imports", "src/domain/risk.rs", "//! R.\nuse crate as house;\n"),
    ("imports", "src/providers/openai.rs", "//! R.\nuse crate::config::{Dialect, File};\n"),
    ("imports", "src/edge/listen.rs", "//! R.\nuse crate::control::server;\n"),
    ("imports", "src/control/mod.rs", "//! R.\nuse crate::edge::listen;\n"),
    ("imports", "src/attic/mod.rs", "//! R.\n"),
    ("purity", "src/scan/engine.rs", "//! R.\nuse tokio::sync::Mutex;\n"),
    ("purity", "src/scan/engine.rs", "//! R.\nuse std::{fmt, fs};\n"),
    ("purity", "src/config/file.rs", "//! R.\nfn f() { std::fs::read(\"x\"); }\n"),
    ("purity", "src/config/file.rs", "//! R.\nfn f() { std::env::var(\"x\"); }\n"),
    ("purity", "src/policy/decide.rs", "//! R.\nuse std::time::{Duration, Instant};\n"),
    ("purity", "src/policy/decide.rs", "//! R.\nuse std::time;\n"),
    ("purity", "src/policy/decide.rs", "//! R.\nuse std::time::*;\n"),
    ("purity", "src/policy/decide.rs", "//! R.\nuse std::time::SystemTime;\n"),
    ("purity", "src/pipeline/live.rs", "//! R.\nuse std::net::{IpAddr, TcpStream};\n"),
    ("purity", "src/pipeline/live.rs", "//! R.\nfn f() { println!(\"x\"); }\n"),
    ("purity", "src/pipeline/live.rs", "//! R.\nfn f() -> u8 { rand::random() }\n"),
    ("purity", "src/pipeline/live.rs", "//! R.\nuse pingora_http::ResponseHeader;\n"),
    ("pingora", "src/sinks/prometheus.rs", "//! R.\nuse pingora_core::server::Server;\n"),
    ("pingora", "src/bin/airiskguard-gateway.rs", "//! R.\nfn main() { pingora::run() }\n"),
    ("status", "src/edge/listen.rs", "//! R.\nuse http::StatusCode;\n"),
    ("status", "src/edge/listen.rs", "//! R.\nfn f() { ResponseHeader::build(403, None); }\n"),
    ("status", "src/edge/listen.rs", "//! R.\nfn f() { Err(HTTPStatus(413)) }\n"),
    ("status", "src/edge/listen.rs", "//! R.\nfn f() { header.set_status(200); }\n"),
    ("status", "src/pipeline/reply.rs", "//! R.\nfn f() { http::StatusCode::OK; }\n"),
    ("first line", "src/wire/sse.rs", "use std::fmt;\n"),
    ("first line", "tests/it/main.rs", "// A comment, not a doc comment.\n"),
    ("reachable", "src/wire/forgotten.rs", "//! R.\n"),
    ("reachable", "src/wire/gzip/window.rs", "//! R.\n"),
];

/// [`PLANTED`], and the two violations that are too long to write down.
pub(crate) fn planted() -> Vec<(&'static str, &'static str, String)> {
    let mut cases: Vec<_> = PLANTED.iter().map(|(check, path, text)| (*check, *path, text.to_string())).collect();
    cases.push(("file length", "src/wire/json.rs", "//! R.\n".repeat(FILE_LINES_MAX + 1)));
    // Its strings, characters and comments try to end the function early.
    let decoys = "let _ = \"}\"; let _ = '}'; // }\nlet _ = r#\"}\"}\"#; /* } /* } */ } */\n";
    let blank = "\n".repeat(FUNCTION_LINES_MAX);
    cases.push(("function length", "src/wire/json.rs", format!("//! R.\nfn f<'a>(_: &'a u8) {{\n{decoys}{blank}}}\n")));
    cases
}

/// `(path, text)`: near misses that no check may report.
pub(crate) const ALLOWED: &[(&str, &str)] = &[
    ("src/domain/mod.rs", "//! R.\n// use crate::scan::Engine;\nconst A: &str = \"crate::scan::Engine std::fs\";\n"),
    ("src/domain/mod.rs", "//! R.\n#[cfg(test)]\nmod tests {\n use crate::scan::Engine; use std::fs;\n}\n"),
    ("src/domain/mod.rs", "//! R.\n#[cfg(test)]\nuse crate::scan::Engine;\nuse std::fmt;\n"),
    ("src/domain/mod.rs", "//! R.\nmod inner { use super::super::Team; }\nuse std::net::{IpAddr, Ipv4Addr};\n"),
    ("src/providers/mod.rs", "//! R.\nuse crate::config::Dialect;\nuse crate::config::Dialect::Anthropic;\n"),
    ("src/policy/mod.rs", "//! R.\nuse std::time::Duration;\nfn f(_: std::time::Duration) { env!(\"X\"); }\n"),
    ("src/edge/mod.rs", "//! R.\nuse pingora::proxy;\nuse crate::pipeline::Live;\nfn f(s: u16) -> bool { s == 403 }\n"),
    ("src/edge/respond.rs", "//! R.\nuse http::StatusCode;\n"),
    ("src/edge/mod.rs", "//! R.\nmod respond;\nfn f(status: u16) { ResponseHeader::build(status, None); }\n"),
    ("src/bin/airiskguard-gateway.rs", "//! R.\nuse airiskguard_gateway::{config, edge};\nfn main() {}\n"),
];

/// A small tree without a violation, so that a report can only come from what was planted.
pub(crate) fn healthy_tree() -> Vec<Source> {
    let mut root = String::from("//! Rooms.\n");
    for room in ROOMS {
        root.push_str(&format!("pub mod {};\n", room.name));
    }
    let rooms = ROOMS.iter().map(|room| Source::new(&format!("src/{}/mod.rs", room.name), "//! A room.\n"));
    let mut sources: Vec<Source> = rooms.collect();
    sources.push(Source::new("src/lib.rs", &root));
    sources.push(Source::new("src/bin/airiskguard-gateway.rs", "//! The program.\nfn main() {}\n"));
    sources.push(Source::new("src/edge/respond.rs", "//! Statuses.\nuse http::StatusCode;\n"));
    sources.retain(|source| source.path != "src/edge/mod.rs");
    sources.push(Source::new("src/edge/mod.rs", "//! Edge.\nmod respond;\n"));
    sources
}

pub(crate) fn healthy_tree_with(path: &str, text: &str) -> Vec<Source> {
    let mut sources = healthy_tree();
    sources.retain(|source| source.path != path);
    if path == "src/edge/mod.rs" {
        sources.retain(|source| source.path != STATUS_FILES[0] || text.contains("mod respond;"));
    }
    sources.push(Source::new(path, text));
    sources
}

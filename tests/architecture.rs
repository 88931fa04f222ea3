//! The house rules as a test: who may import whom, what the pure rooms must not touch, and how long things may grow.
//! It reads source text, not types, so it needs only `std`, and every rule is shown to fail on a planted violation.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "architecture/planted.rs"]
mod planted;
#[path = "architecture/source.rs"]
mod source;

use std::path::Path;

use planted::{ALLOWED, healthy_tree, healthy_tree_with, planted};
use source::{NamedPath, Source, Token, closing, production, reachable, read_tree};

/// One room of `src/`: its folder, whether it is pure, and the rooms it may import.
struct Room {
    name: &'static str,
    pure: bool,
    may_import: &'static [&'static str],
}

const fn room(name: &'static str, pure: bool, may_import: &'static [&'static str]) -> Room {
    Room { name, pure, may_import }
}

/// Bottom to top. `docs/ARCHITECTURE.md` says what each is for.
const ROOMS: &[Room] = &[
    room("domain", true, &[]),
    room("wire", true, &[]),
    room("config", true, &["domain"]),
    room("scan", true, &["domain"]),
    room("checkers", true, &["domain", "scan"]),
    room("providers", true, &["domain", "wire"]),
    room("policy", true, &["domain", "config"]),
    room("pipeline", true, &["domain", "wire", "config", "scan", "checkers", "providers", "policy"]),
    room("store", false, &["domain", "config"]),
    room("sinks", false, &["domain", "config", "store"]),
    room("edge", false, &["domain", "config", "pipeline", "sinks"]),
    room("control", false, &["domain", "config", "checkers", "policy", "pipeline", "store", "sinks"]),
];

/// Single words that a room may take from a room it may not import: `(room, from, word)`.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // A dialect is what the operator wrote under `upstream:` and what a provider speaks: one word, one type.
    ("providers", "config", "Dialect"),
];

/// The only files that may name a status code: one for the gateway, one for the control plane.
const STATUS_FILES: &[&str] = &["src/edge/respond.rs", "src/control/problem.rs"];

/// Paths that reach the world outside; a pure room may name none of them.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "futures",
    "async_trait",
    "hyper",
    "axum",
    "reqwest",
    "rand",
    "getrandom",
    "uuid",
    "tracing",
    "log",
    "prometheus",
    "listenfd",
    "sd_notify",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];

/// Modules of which a pure room may name only these words.
const PARTLY_PURE: &[(&str, &[&str])] = &[
    ("std::time", &["Duration", "TryFromFloatSecsError"]),
    ("std::net", &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "AddrParseError"]),
];

/// Macros that write to the terminal.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// What a check gives: one sentence per violation, beginning with the file.
type Violations = Vec<String>;
type Check = fn(&[Source]) -> Violations;

const CHECKS: &[(&str, Check)] = &[
    ("imports", check_imports),
    ("purity", check_purity),
    ("pingora", check_pingora),
    ("status", check_status),
    ("file length", check_file_length),
    ("function length", check_function_length),
    ("first line", check_first_line),
    ("reachable", check_reachable),
];

#[test]
fn the_house_is_in_order() {
    let sources = read_tree(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the tree was not found");
    let violations: Violations = CHECKS.iter().flat_map(|(_, check)| check(&sources)).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn the_table_points_downwards() {
    for (index, room) in ROOMS.iter().enumerate() {
        for import in room.may_import {
            let below = ROOMS[..index].iter().find(|it| it.name == *import);
            assert!(below.is_some(), "{} may import {import}, which does not stand below it", room.name);
            assert!(!room.pure || below.is_some_and(|it| it.pure), "{} is pure, {import} is not", room.name);
        }
    }
    assert_eq!(ROOMS.iter().filter(|room| room.pure).count(), 8);
}

#[test]
fn every_check_reports_its_planted_violations() {
    let planted = planted();
    for (name, check) in CHECKS {
        let cases: Vec<_> = planted.iter().filter(|(check, ..)| check == name).collect();
        assert!(!cases.is_empty(), "no violation is planted for the check of {name}");
        assert_eq!(check(&healthy_tree()), Violations::new(), "{name} reports a healthy tree");
        for (_, path, text) in cases {
            let found = check(&healthy_tree_with(path, text));
            assert!(found.iter().any(|it| it.starts_with(path)), "{name} does not report {path}: {text:?}\n{found:?}");
        }
    }
}

#[test]
fn lengths_are_counted_exactly() {
    let file = |lines: usize| vec![Source::new("src/wire/json.rs", &format!("//! Long.\n{}", "\n".repeat(lines - 1)))];
    assert!(check_file_length(&file(FILE_LINES_MAX)).is_empty());
    assert_eq!(check_file_length(&file(FILE_LINES_MAX + 1)).len(), 1);

    let function = |lines: usize| {
        let body = "    let _ = [0; 2];\n".repeat(lines - 2);
        vec![Source::new("src/wire/json.rs", &format!("//! F.\nfn f(_: fn(u8) -> u8) {{\n{body}}}\n"))]
    };
    assert!(check_function_length(&function(FUNCTION_LINES_MAX)).is_empty());
    assert_eq!(check_function_length(&function(FUNCTION_LINES_MAX + 1)).len(), 1);
}

#[test]
fn what_is_allowed_is_not_reported() {
    for (path, text) in ALLOWED {
        let tree = healthy_tree_with(path, text);
        let found: Violations = CHECKS.iter().flat_map(|(_, check)| check(&tree)).collect();
        assert_eq!(found, Violations::new(), "{path}: {text:?}");
    }
}

fn check_imports(sources: &[Source]) -> Violations {
    let mut violations = Violations::new();
    for source in production(sources) {
        let Some(name) = source.room() else { continue };
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            violations.push(format!("{}: the room `{name}` is not in the table of rooms", source.path));
            continue;
        };
        for path in source.paths().iter().filter(|path| path.segments[0] == "crate") {
            if let Some(reason) = forbidden_import(room, path) {
                violations.push(format!("{}:{}: `{}`: {reason}", source.path, path.line, path.segments.join("::")));
            }
        }
    }
    violations
}

fn forbidden_import(room: &Room, path: &NamedPath) -> Option<String> {
    let Some(target) = path.segments.get(1) else {
        return path.renamed.then(|| "the crate root under another name hides which rooms are used".into());
    };
    if target == "*" {
        return Some("everything from the crate root hides which rooms are used".into());
    }
    let known = ROOMS.iter().any(|it| it.name == target);
    let allowed = !known || target == room.name || room.may_import.contains(&target.as_str());
    let word = path.segments.get(2).map_or("", String::as_str);
    let excepted = EXCEPTIONS.contains(&(room.name, target, word));
    (!allowed && !excepted).then(|| format!("`{}` may import only {:?}", room.name, room.may_import))
}

fn check_purity(sources: &[Source]) -> Violations {
    let mut violations = Violations::new();
    for source in production(sources) {
        if !ROOMS.iter().any(|room| room.pure && Some(room.name) == source.room()) {
            continue;
        }
        for path in source.paths().iter().filter(|path| is_impure(&path.segments)) {
            let named = path.segments.join("::");
            violations.push(format!("{}:{}: `{named}` has no place in a pure room", source.path, path.line));
        }
        for pair in source.code.windows(2) {
            if pair[1].text == "!" && PRINTING.contains(&pair[0].text.as_str()) {
                violations.push(format!("{}:{}: a pure room prints nothing", source.path, pair[0].line));
            }
        }
    }
    violations
}

fn is_impure(segments: &[String]) -> bool {
    // One word alone may be a variable of that name; what leads into a crate has a second segment.
    if segments.len() < 2 {
        return false;
    }
    if segments[0].starts_with("pingora") || (segments[0] == "std" && segments[1] == "*") {
        return true;
    }
    let starts_with = |prefix: &str| {
        let count = prefix.split("::").count();
        segments.len() >= count && prefix.split("::").zip(segments).all(|(wanted, segment)| wanted == segment)
    };
    let partly = |(module, words): &(&str, &[&str])| {
        starts_with(module) && !segments.get(2).is_some_and(|word| words.contains(&word.as_str()))
    };
    IMPURE.iter().any(|prefix| starts_with(prefix)) || PARTLY_PURE.iter().any(partly)
}

fn check_pingora(sources: &[Source]) -> Violations {
    let mut violations = Violations::new();
    for source in production(sources).filter(|source| source.room() != Some("edge")) {
        for token in source.code.iter().filter(|token| token.text.starts_with("pingora")) {
            violations.push(format!("{}:{}: only `edge` names Pingora", source.path, token.line));
        }
    }
    violations
}

fn check_status(sources: &[Source]) -> Violations {
    let mut violations = Violations::new();
    let is_status = |text: &str| text.len() == 3 && text.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    let takes_status =
        |text: &str| ["build", "build_no_case", "set_status", "HTTPStatus", "respond_error"].contains(&text);
    for source in production(sources).filter(|source| !STATUS_FILES.contains(&source.path.as_str())) {
        let named = source.code.iter().filter(|token| token.text == "StatusCode").map(|token| token.line);
        let written = source
            .code
            .windows(3)
            .filter(|window| takes_status(&window[0].text) && window[1].text == "(" && is_status(&window[2].text));
        for line in named.chain(written.map(|window| window[2].line)) {
            violations.push(format!("{}:{line}: only {STATUS_FILES:?} name a status code", source.path));
        }
    }
    violations
}

fn check_file_length(sources: &[Source]) -> Violations {
    let long = sources.iter().filter(|source| source.line_count > FILE_LINES_MAX);
    long.map(|source| format!("{}: {} lines, {FILE_LINES_MAX} at most", source.path, source.line_count)).collect()
}

fn check_function_length(sources: &[Source]) -> Violations {
    let mut violations = Violations::new();
    for source in sources {
        for (start, name) in source.all.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn") {
            let lines = name[1].is_word().then(|| function_lines(&source.all[start..])).flatten().unwrap_or(0);
            if lines > FUNCTION_LINES_MAX {
                let name = &name[1].text;
                violations.push(format!("{}: `{name}` has {lines} lines, {FUNCTION_LINES_MAX} at most", source.path));
            }
        }
    }
    violations
}

/// Lines from `fn` to the closing brace; `None` for a declaration without a body.
fn function_lines(tokens: &[Token]) -> Option<usize> {
    let mut nesting = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" => nesting += 1,
            ")" | "]" => nesting = nesting.saturating_sub(1),
            ";" if nesting == 0 => return None,
            "{" if nesting == 0 => {
                let close = index + closing(&tokens[index..])?;
                return Some(tokens[close].line - tokens[0].line + 1);
            }
            _ => {}
        }
    }
    None
}

fn check_first_line(sources: &[Source]) -> Violations {
    let silent = sources.iter().filter(|source| !source.documented);
    silent.map(|source| format!("{}: the first line says what the file is, after `//!`", source.path)).collect()
}

fn check_reachable(sources: &[Source]) -> Violations {
    let reached = reachable(sources, |source| &source.all);
    let lost = sources.iter().filter(|source| source.in_src() && !reached.contains(source.path.as_str()));
    lost.map(|source| format!("{}: no `mod` leads here", source.path)).collect()
}

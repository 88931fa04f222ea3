//! The kinds of text that coding agents send, written from word lists: prose, code, and what tools print.
//!
//! Nothing here is a secret or looks like one on purpose, but it is not tame either: words that scanners watch for
//! (`token`, `password_hash`, `api_key` as names), hashes, lock files and addresses occur as they do in real work.

use std::fmt::Write;

use crate::random::Random;

const NOUNS: &[&str] = &[
    "account",
    "adapter",
    "address",
    "archive",
    "batch",
    "border",
    "branch",
    "bucket",
    "buffer",
    "cache",
    "channel",
    "client",
    "cluster",
    "column",
    "config",
    "context",
    "counter",
    "cursor",
    "customer",
    "deadline",
    "decoder",
    "device",
    "digest",
    "engine",
    "entry",
    "error",
    "event",
    "export",
    "feature",
    "field",
    "filter",
    "folder",
    "format",
    "frame",
    "gateway",
    "group",
    "handler",
    "header",
    "history",
    "import",
    "index",
    "invoice",
    "item",
    "job",
    "journal",
    "key",
    "label",
    "layer",
    "ledger",
    "limit",
    "list",
    "lock",
    "logger",
    "mailbox",
    "manifest",
    "message",
    "metric",
    "migration",
    "module",
    "network",
    "node",
    "notice",
    "offset",
    "order",
    "owner",
    "packet",
    "page",
    "parser",
    "password",
    "path",
    "payment",
    "pipeline",
    "place",
    "policy",
    "pool",
    "profile",
    "query",
    "queue",
    "quota",
    "range",
    "reader",
    "record",
    "region",
    "release",
    "report",
    "request",
    "reserve",
    "result",
    "retry",
    "role",
    "route",
    "schedule",
    "schema",
    "secret",
    "segment",
    "server",
    "session",
    "shard",
    "signal",
    "snapshot",
    "socket",
    "source",
    "span",
    "state",
    "storage",
    "stream",
    "table",
    "target",
    "task",
    "team",
    "tenant",
    "thread",
    "ticket",
    "timer",
    "token",
    "trace",
    "user",
    "value",
    "version",
    "volume",
    "window",
    "worker",
];
const VERBS: &[&str] = &[
    "accept", "append", "apply", "assign", "build", "cancel", "check", "close", "collect", "commit", "compare",
    "connect", "copy", "count", "create", "decode", "delete", "deliver", "describe", "drain", "encode", "expire",
    "export", "fetch", "filter", "find", "flush", "format", "handle", "insert", "join", "keep", "list", "load",
    "lookup", "map", "mark", "merge", "move", "name", "notify", "open", "parse", "pause", "plan", "publish", "pull",
    "push", "read", "receive", "reject", "release", "remove", "rename", "render", "repair", "replace", "resolve",
    "restart", "retry", "rotate", "route", "save", "schedule", "select", "send", "serve", "sort", "split", "start",
    "stop", "store", "submit", "sum", "sync", "take", "trim", "update", "validate", "verify", "wait", "write",
];
const SMALL: &[&str] = &[
    "a", "after", "all", "and", "any", "as", "at", "because", "before", "but", "by", "each", "for", "from", "has",
    "if", "in", "into", "is", "it", "its", "later", "must", "no", "not", "of", "on", "only", "or", "should", "so",
    "that", "the", "then", "there", "this", "to", "until", "was", "when", "where", "which", "while", "with", "would",
];
const PLAIN: &[&str] = &[
    "again",
    "already",
    "behind",
    "broken",
    "careful",
    "clean",
    "clear",
    "common",
    "correct",
    "current",
    "different",
    "early",
    "empty",
    "exact",
    "fast",
    "first",
    "former",
    "known",
    "large",
    "last",
    "late",
    "long",
    "main",
    "missing",
    "new",
    "next",
    "old",
    "open",
    "other",
    "plain",
    "ready",
    "same",
    "second",
    "short",
    "simple",
    "single",
    "slow",
    "small",
    "stale",
    "strange",
    "third",
    "unused",
    "usual",
    "whole",
    "wrong",
    "yesterday",
];
const NAMES: &[&str] = &["password_hash", "api_key", "access_token", "session_key", "auth_header", "private_key_path"];
const ENDINGS: &[&str] = &["rs", "py", "ts", "go", "java", "sql", "md", "toml", "yaml", "json"];

type Writer = fn(&mut String, &mut Random, usize);

/// One piece of text of about `bytes` bytes, of a kind that is drawn.
pub fn tool_output(random: &mut Random, bytes: usize) -> String {
    const KINDS: &[Writer] = &[code, code, code, listing, test_log, json, difference, lock_file, prose];
    let mut text = String::with_capacity(bytes + 256);
    let kind = KINDS[random.below(KINDS.len())];
    kind(&mut text, random, bytes);
    text
}

/// Sentences up to about `bytes` more bytes.
pub fn prose(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    while text.len() < end {
        let first = text.len();
        for place in 0..6 + random.below(14) {
            let list = [SMALL, NOUNS, SMALL, PLAIN, SMALL, VERBS][(place + random.below(2)) % 6];
            let word = random.pick(list);
            if place > 0 {
                text.push_str(if random.chance(0.06) { ", " } else { " " });
            }
            text.push_str(word);
        }
        if let Some(letter) = text.get_mut(first..=first) {
            letter.make_ascii_uppercase();
        }
        text.push_str(if random.chance(0.12) { ".\n\n" } else { ". " });
    }
}

/// Source code of a made-up module.
pub fn code(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    let _ = write!(text, "// {}\n\n", path(random));
    while text.len() < end {
        let (name, kind) = (name(random), random.pick(NOUNS));
        let _ =
            writeln!(text, "/// {}.\npub fn {name}({kind}: &mut {}) -> Result<usize> {{", phrase(random), kind.len());
        for _ in 0..3 + random.below(9) {
            statement(text, random, kind);
        }
        text.push_str("    Ok(total)\n}\n\n");
    }
}

fn statement(text: &mut String, random: &mut Random, kind: &str) {
    let (verb, noun, other) = (random.pick(VERBS), random.pick(NOUNS), random.pick(NOUNS));
    let number = random.below(4_096);
    let _ = match random.below(9) {
        0 => writeln!(text, "    let {noun} = {kind}.{verb}_{other}(&self.{other}, {number})?;"),
        1 => writeln!(
            text,
            "    if {kind}.{noun}.is_empty() && {other}.len() > {number} {{\n        return Err(Error::{verb}(\"{noun} {verb} {other}\"));\n    }}"
        ),
        2 => writeln!(
            text,
            "    for ({noun}, {other}) in {kind}.{noun}s.iter().enumerate() {{\n        total += {other}.{verb}({noun});\n    }}"
        ),
        3 => writeln!(text, "    log.debug(\"{verb} {noun}: {{}} of {{}}\", {other}, {kind}.{noun});"),
        4 => writeln!(text, "    // {} {} {}.", phrase(random), random.pick(SMALL), phrase(random)),
        5 => writeln!(
            text,
            "    match self.{noun}.{verb}({kind}) {{\n        Some({other}) => total += {other},\n        None => self.{noun} = {number},\n    }}"
        ),
        6 => writeln!(text, "    self.settings.{}.{verb}({noun});", random.pick(NAMES)),
        7 => writeln!(text, "\tassertEquals({number}, {noun}.{verb}(\"{other}\", '{}'));", random.pick(PLAIN)),
        _ => writeln!(text, "    total = total.max({noun}.{verb}({other}.{kind}, {number}));"),
    };
}

/// What a search over files prints.
pub fn listing(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    while text.len() < end {
        let (path, line) = (path(random), 1 + random.below(900));
        let _ = write!(text, "{path}:{line}:");
        statement(text, random, "entry");
    }
}

/// What a test run prints.
pub fn test_log(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    while text.len() < end {
        let (name, micros) = (name(random), random.below(2_000_000));
        let second = random.below(60);
        let _ = match random.below(12) {
            0 => writeln!(
                text,
                "FAILED tests/{name} - expected {} but found {micros}: {}",
                random.below(99),
                phrase(random)
            ),
            1 => writeln!(
                text,
                "2026-03-{:02}T10:{:02}:{second:02}.{micros:06}Z WARN [{name}] {}",
                1 + random.below(28),
                random.below(60),
                phrase(random)
            ),
            2 => writeln!(text, "    at {}:{}:{second}", path(random), random.below(800)),
            _ => writeln!(text, "test {}::{name} ... ok ({micros} us)", random.pick(NOUNS)),
        };
    }
}

/// A JSON document as a tool returns it: inside the request it is JSON within a JSON string.
pub fn json(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    text.push_str("{\"items\":[");
    while text.len() < end {
        let (name, noun) = (name(random), random.pick(NOUNS));
        let _ = write!(
            text,
            "{{\"id\":\"{}\",\"{noun}\":\"{name}\",\"count\":{},\"path\":\"{}\",\"note\":\"{}\\n\\\"{}\\\"\",\"open\":{}}},",
            uuid(random),
            random.below(100_000),
            path(random),
            phrase(random),
            phrase(random),
            random.chance(0.5),
        );
    }
    text.push_str("null]}");
}

/// A change to a file.
pub fn difference(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    while text.len() < end {
        let path = path(random);
        let _ = writeln!(
            text,
            "commit {}\n--- a/{path}\n+++ b/{path}\n@@ -{1},8 +{1},9 @@",
            hex(random, 40),
            random.below(700)
        );
        for _ in 0..4 + random.below(8) {
            text.push_str(random.pick(&[" ", " ", "-", "+"]));
            statement(text, random, "record");
        }
    }
}

/// Part of a lock file: names, versions, digests.
pub fn lock_file(text: &mut String, random: &mut Random, bytes: usize) {
    let end = text.len() + bytes;
    while text.len() < end {
        let (name, minor, patch) = (random.pick(NOUNS), random.below(40), random.below(20));
        let _ =
            writeln!(text, "[[package]]\nname = \"{name}-{}\"\nversion = \"1.{minor}.{patch}\"", random.pick(VERBS));
        let _ = writeln!(text, "checksum = \"{}\"\n", hex(random, 64));
    }
}

/// A few words.
pub fn phrase(random: &mut Random) -> String {
    let (verb, small, plain, noun) = (random.pick(VERBS), random.pick(SMALL), random.pick(PLAIN), random.pick(NOUNS));
    format!("{verb} {small} {plain} {noun}")
}

/// A name as code has it.
pub fn name(random: &mut Random) -> String {
    format!("{}_{}_{}", random.pick(VERBS), random.pick(PLAIN), random.pick(NOUNS))
}

/// A path of a file in a repository.
pub fn path(random: &mut Random) -> String {
    let (folder, inner, file) = (random.pick(NOUNS), random.pick(NOUNS), random.pick(VERBS));
    format!("src/{folder}/{inner}/{file}_{}.{}", random.pick(NOUNS), random.pick(ENDINGS))
}

/// Version 4, as tools print ids.
pub fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.bits(), random.bits());
    let (first, second, third) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
    format!("{first:08x}-{second:04x}-4{third:03x}-a{:03x}-{:012x}", low >> 52, low & 0xffff_ffff_ffff)
}

/// Hexadecimal digits.
pub fn hex(random: &mut Random, digits: usize) -> String {
    let mut text = String::with_capacity(digits + 16);
    while text.len() < digits {
        let _ = write!(text, "{:016x}", random.bits());
    }
    text.truncate(digits);
    text
}

/// One token of a streamed answer: a word and the space after it.
pub fn token(random: &mut Random) -> &'static str {
    // Words of the lists with their space, so that nothing is put together per token.
    const TOKENS: &[&str] = &[
        "the ",
        "value ",
        "of ",
        "this ",
        "field ",
        "is ",
        "read ",
        "before ",
        "each ",
        "turn ",
        "and ",
        "kept ",
        "until ",
        "every ",
        "worker ",
        "has ",
        "seen ",
        "it, ",
        "so ",
        "that ",
        "a ",
        "later ",
        "change ",
        "does ",
        "not ",
        "reach ",
        "what ",
        "was ",
        "sent ",
        "already. ",
        "In ",
        "the\n",
        "function ",
        "`load` ",
        "we ",
        "call ",
        "`next()` ",
        "once ",
    ];
    TOKENS[random.below(TOKENS.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_about_the_size_that_was_asked_for() {
        let kinds: [Writer; 7] = [prose, code, listing, test_log, json, difference, lock_file];
        for (index, kind) in kinds.into_iter().enumerate() {
            let mut text = String::new();
            kind(&mut text, &mut Random::new(index as u64), 8_000);
            assert!((8_000..10_500).contains(&text.len()), "kind {index}: {}", text.len());
            assert!(text.is_ascii());
        }
    }

    #[test]
    fn what_a_tool_returns_as_json_is_json() {
        let mut text = String::new();
        json(&mut text, &mut Random::new(5), 4_000);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(value["items"].as_array().unwrap().len() > 10);
    }

    #[test]
    fn two_seeds_share_hardly_a_line_of_code() {
        let lines = |seed| {
            let mut text = String::new();
            code(&mut text, &mut Random::new(seed), 20_000);
            text.lines().filter(|line| line.len() > 40).map(String::from).collect::<std::collections::HashSet<_>>()
        };
        let (one, other) = (lines(1), lines(2));
        assert!(one.len() > 100);
        assert!(one.intersection(&other).count() * 20 < one.len());
    }
}

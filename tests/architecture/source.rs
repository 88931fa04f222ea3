//! Rust source as far as the house rules need it: tokens without comments, `mod` declarations and named paths.
//! A heuristic, not a parser: no macro is expanded, and no type is known.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot read the tree has nothing to say"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold Rust files of ours.
const FOLDERS: &[&str] = &["src", "tests", "benches", "loadtest", "fuzz"];

/// Every `*.rs` of the package, paths from its root.
pub(crate) fn read_tree(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).filter(|it| it.is_dir()).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder was just found") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                let generated = ["target", "node_modules"].iter().any(|name| path.ends_with(name));
                open.extend((!generated).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source is UTF-8");
                let relative = path.strip_prefix(root).expect("the walk began at the root");
                sources.push(Source::new(&joined(relative), &text));
            }
        }
    }
    sources
}

/// Files of `src/` that are not only there for tests.
pub(crate) fn production(sources: &[Source]) -> impl Iterator<Item = &Source> {
    let all = reachable(sources, |source| &source.all);
    let shipped = reachable(sources, |source| &source.code);
    let test_only: BTreeSet<String> = all.difference(&shipped).cloned().collect();
    sources.iter().filter(move |source| source.in_src() && !test_only.contains(&source.path))
}

/// Paths of the files that `mod` declarations lead to, from every crate root, reading the given tokens of each file.
pub(crate) fn reachable(sources: &[Source], tokens: fn(&Source) -> &[Token]) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Source> = sources.iter().filter(|source| source.is_crate_root()).collect();
    while let Some(source) = open.pop() {
        if reached.insert(source.path.clone()) {
            let wanted = module_files(source, tokens(source));
            open.extend(sources.iter().filter(|source| wanted.contains(&source.path)));
        }
    }
    reached
}

/// Where the files of a file's `mod name;` declarations may stand.
fn module_files(source: &Source, tokens: &[Token]) -> BTreeSet<String> {
    let inline = inline_modules(tokens);
    let mut files = BTreeSet::new();
    let mut explicit: Option<&str> = None;
    for (index, window) in tokens.windows(3).enumerate() {
        if window[0].text == "path" && window[1].text == "=" && window[2].text.starts_with('"') {
            explicit = Some(&window[2].text[1..]);
        }
        if window[0].text == "mod" && window[1].is_word() && window[2].text == ";" {
            let mut folder = source.module_folder();
            folder.extend(inline.iter().filter(|it| it.holds(index)).map(|it| it.name.as_str()));
            let name = window[1].text.as_str();
            match explicit.take() {
                Some(file) => drop(files.insert(joined(&source.folder().join(file)))),
                None => files.extend(
                    [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")].map(|it| joined(&it)),
                ),
            }
        }
    }
    files
}

fn joined(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// One file, read once.
pub(crate) struct Source {
    /// From the package root, with `/`.
    pub(crate) path: String,
    pub(crate) line_count: usize,
    pub(crate) documented: bool,
    /// Tokens of the whole file.
    pub(crate) all: Vec<Token>,
    /// Tokens of what is not compiled for tests alone.
    pub(crate) code: Vec<Token>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let all = tokens(text);
        let code = without_tests(&all);
        let documented = text.starts_with("//! ");
        Source { path: path.into(), line_count: text.lines().count(), documented, all, code }
    }

    pub(crate) fn in_src(&self) -> bool {
        self.path.starts_with("src/")
    }

    fn folder(&self) -> PathBuf {
        Path::new(&self.path).parent().map(Path::to_path_buf).unwrap_or_default()
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn is_crate_root(&self) -> bool {
        let in_bin = self.path.strip_prefix("src/bin/");
        ["src/lib.rs", "src/main.rs"].contains(&self.path.as_str())
            || in_bin.is_some_and(|rest| {
                !rest.contains('/') || (rest.ends_with("/main.rs") && rest.matches('/').count() == 1)
            })
    }

    /// Where the files of its child modules stand.
    fn module_folder(&self) -> PathBuf {
        let own = self.is_crate_root() || self.file_name() == "mod.rs";
        if own { self.folder() } else { self.folder().join(self.file_name().trim_end_matches(".rs")) }
    }

    /// The room it belongs to; `None` for crate roots, binaries and everything beside `src/`.
    pub(crate) fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/").filter(|rest| !rest.starts_with("bin/"))?;
        (!self.is_crate_root()).then(|| rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs"))
    }

    /// How many modules lie between the crate root and the items of this file.
    fn depth(&self) -> usize {
        if self.is_crate_root() { 0 } else { self.module_folder().components().count() - 1 }
    }

    /// Every path that the shipped code names, groups spread out, paths into this crate beginning with `crate`.
    pub(crate) fn paths(&self) -> Vec<NamedPath> {
        let inline = inline_modules(&self.code);
        let mut paths = Vec::new();
        let mut index = 0;
        while index < self.code.len() {
            if !self.code[index].is_word() {
                index += 1;
                continue;
            }
            let depth = self.depth() + inline.iter().filter(|it| it.holds(index)).count();
            let first = paths.len();
            index = spread(&self.code, index, &[], &mut paths);
            for path in &mut paths[first..] {
                path.resolve(depth);
            }
        }
        paths.retain(|path| !path.segments.is_empty());
        paths
    }
}

/// A path as the code names it.
pub(crate) struct NamedPath {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// Whether `as` follows.
    pub(crate) renamed: bool,
}

impl NamedPath {
    /// Turns `super::super::…` that reaches the crate root, and the crate's own name, into `crate::…`.
    fn resolve(&mut self, depth: usize) {
        let relative = self.segments.iter().take_while(|it| *it == "self" || *it == "super").count();
        let ups = self.segments[..relative].iter().filter(|it| *it == "super").count();
        if relative > 0 {
            let from_root = (ups > 0 && ups >= depth).then(|| "crate".to_string());
            self.segments.splice(..relative, from_root);
        }
        if self.segments.first().is_some_and(|it| it == "airiskguard_gateway") {
            self.segments[0] = "crate".into();
        }
    }
}

/// Reads one path at `index` behind `prefix` and appends it, once per member of its groups; returns where it ends.
fn spread(tokens: &[Token], mut index: usize, prefix: &[String], paths: &mut Vec<NamedPath>) -> usize {
    let mut segments = prefix.to_vec();
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    while index < tokens.len() {
        let token = &tokens[index];
        if token.text == "{" {
            index += 1;
            while index < tokens.len() && text(index) != "}" {
                index = spread(tokens, index, &segments, paths).max(index + 1);
                index += if text(index) == "as" { 2 } else { 0 };
                index += usize::from(text(index) == ",");
            }
            return index + 1;
        }
        segments.push(token.text.clone());
        index += 1;
        let goes_on =
            text(index) == "::" && (text(index + 1) == "{" || text(index + 1) == "*" || is_word(text(index + 1)));
        if !goes_on {
            paths.push(NamedPath { line: token.line, segments, renamed: text(index) == "as" });
            return index;
        }
        index += 1;
    }
    index
}

/// `mod name { … }`, from its opening to its closing brace.
struct InlineModule {
    name: String,
    open: usize,
    close: usize,
}

impl InlineModule {
    fn holds(&self, index: usize) -> bool {
        (self.open..self.close).contains(&index)
    }
}

fn inline_modules(tokens: &[Token]) -> Vec<InlineModule> {
    let heads =
        tokens.windows(3).enumerate().filter(|(_, it)| it[0].text == "mod" && it[1].is_word() && it[2].text == "{");
    let module = |(index, head): (usize, &[Token])| {
        let open = index + 2;
        let close = closing(&tokens[open..]).map_or(tokens.len(), |length| open + length);
        InlineModule { name: head[1].text.clone(), open, close }
    };
    heads.map(module).collect()
}

/// Index of the bracket that closes the one at the beginning.
pub(crate) fn closing(tokens: &[Token]) -> Option<usize> {
    let mut nesting = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" | "(" | "[" => nesting += 1,
            "}" | ")" | "]" => nesting = nesting.checked_sub(1)?,
            _ => {}
        }
        if nesting == 0 {
            return Some(index);
        }
    }
    None
}

/// Leaves out every item under `#[cfg(test)]`, and all of a file that begins with `#![cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let rest = &tokens[index..];
        let inner = rest.get(1).is_some_and(|it| it.text == "!");
        match test_attribute(rest, 1 + usize::from(inner)) {
            Some(_) if inner => return Vec::new(),
            Some(length) => index += length + item_length(&rest[length..]),
            None => {
                kept.push(tokens[index].clone());
                index += 1;
            }
        }
    }
    kept
}

/// Length of the attribute at the beginning, whose bracket is at `bracket`, if it is a `cfg` that needs `test`.
fn test_attribute(tokens: &[Token], bracket: usize) -> Option<usize> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    if text(0) != "#" || text(bracket) != "[" || text(bracket + 1) != "cfg" {
        return None;
    }
    let end = bracket + closing(&tokens[bracket..])?;
    let words = &tokens[bracket..end];
    let needs =
        words.iter().any(|it| it.text == "test") && !words.iter().any(|it| it.text == "not" || it.text == "any");
    needs.then_some(end + 1)
}

/// Length of the item at the beginning: up to its `;`, or up to its closing brace where a body ends it.
fn item_length(tokens: &[Token]) -> usize {
    let statement = tokens.iter().find_map(|token| match token.text.as_str() {
        "use" | "const" | "static" | "type" | "let" => Some(true),
        "fn" | "mod" | "impl" | "struct" | "enum" | "trait" | "macro_rules" => Some(false),
        _ => None,
    });
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match token.text.as_str() {
            ";" => return index + 1,
            // The item was the last of its block.
            "}" | ")" | "]" => return index,
            "{" | "(" | "[" => {
                let Some(close) = closing(&tokens[index..]) else { return tokens.len() };
                index += close;
                if token.text == "{" && statement != Some(true) {
                    return index + 1;
                }
            }
            _ => {}
        }
        index += 1;
    }
    tokens.len()
}

/// A word, a number, a string (with its opening quote only), `::` or a single sign; comments and characters are gone.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        is_word(&self.text)
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first == '_' || first.is_alphabetic())
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, token) = next_token(rest, first);
        if let Some(text) = token {
            tokens.push(Token { line, text });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// Length in bytes of what stands at the beginning of `rest`, and the token it gives, if any.
fn next_token(rest: &str, first: char) -> (usize, Option<String>) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), None);
    }
    if rest.starts_with("/*") {
        return (block_comment_length(rest), None);
    }
    if let Some((length, content)) = string_at(rest) {
        return (length, Some(format!("\"{content}")));
    }
    if first == '\'' {
        return (quote_length(rest), None);
    }
    if first.is_whitespace() {
        return (first.len_utf8(), None);
    }
    if rest.starts_with("::") {
        return (2, Some("::".into()));
    }
    let is_part = |it: char| it == '_' || it.is_alphanumeric();
    let length = if is_part(first) { rest.find(|it| !is_part(it)).unwrap_or(rest.len()) } else { first.len_utf8() };
    (length, Some(rest[..length].to_string()))
}

fn block_comment_length(rest: &str) -> usize {
    let mut nesting = 0_usize;
    let mut index = 0;
    while index < rest.len() {
        let here = &rest.as_bytes()[index..];
        if here.starts_with(b"/*") {
            nesting += 1;
            index += 2;
        } else if here.starts_with(b"*/") {
            nesting -= 1;
            index += 2;
            if nesting == 0 {
                return index;
            }
        } else {
            index += 1;
        }
    }
    rest.len()
}

/// A string literal of any kind at the beginning: its length and its content as written.
fn string_at(rest: &str) -> Option<(usize, &str)> {
    let unprefixed = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let content = raw[hashes..].strip_prefix('"')?;
        let end = content.find(&format!("\"{}", "#".repeat(hashes))).unwrap_or(content.len());
        let length = rest.len() - content.len() + end + 1 + hashes;
        return Some((length.min(rest.len()), &content[..end]));
    }
    let content = unprefixed.strip_prefix('"')?;
    let mut escaped = false;
    let end = content.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let end = end.unwrap_or(content.len());
    Some(((rest.len() - content.len() + end + 1).min(rest.len()), &content[..end]))
}

/// Length of the character literal at the beginning, or of the quote of a lifetime.
fn quote_length(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match inside.next() {
        Some('\\') => rest[3..].find('\'').map_or(rest.len(), |end| 3 + end + 1),
        Some(only) if inside.next() == Some('\'') => 2 + only.len_utf8(),
        _ => 1,
    }
}

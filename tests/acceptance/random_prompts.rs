//! Random prompts with keys planted in them: hidden wherever they stand, every other byte as it was.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use crate::client::{LABEL, MESSAGES, REDACTING, key, leaves, post};
use crate::support::{run, run_on, snapshot};

/// Stands for the key while the document is built.
const MARK: char = '§';

/// A document as it is written: pieces that stay, and places where a key is planted.
#[derive(Clone, Debug)]
enum Node {
    Text(Vec<Word>),
    Nested(Box<Node>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    Scalar(&'static str),
}

#[derive(Clone, Debug)]
enum Word {
    Plain(&'static str),
    /// The key, with these of its characters written as escapes.
    Key(u32),
}

/// How a document is written down.
#[derive(Clone, Debug)]
struct Spelling {
    spaces: Vec<&'static str>,
    at: usize,
}

impl Spelling {
    fn space(&mut self) -> &'static str {
        self.at += 1;
        self.spaces[self.at % self.spaces.len()]
    }
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let plain = prop::sample::select(vec![
        "fn main() {",
        " let x = ",
        "\n",
        "\t",
        "\"quoted\"",
        "\\",
        "/",
        "café ",
        "😀",
        "\u{0}",
        "{not json",
        "[1,2",
        "100% ",
        "the file ",
        "id: ",
        "a-b_c",
        "§§",
        "=",
        "null",
        "// ",
        "$ ",
    ]);
    let word = prop_oneof![4 => plain.prop_map(Word::Plain), 1 => any::<u32>().prop_map(Word::Key)];
    prop::collection::vec(word, 0..8)
}

fn node() -> impl Strategy<Value = Node> {
    let scalar = prop::sample::select(vec!["null", "true", "-0.5e+3", "12345678901234567890", "[]", "{}"]);
    let leaf = prop_oneof![5 => words().prop_map(Node::Text), 1 => scalar.prop_map(Node::Scalar)];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let key = prop::sample::select(vec!["text", "content", "type", "input", "file_path", "a", "", "content"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Node::List),
            prop::collection::vec((key.prop_map(String::from), inner.clone()), 0..5).prop_map(Node::Object),
            inner.prop_map(|it| Node::Nested(Box::new(it))),
        ]
    })
}

/// Writes a node; inside a document in a string, `level` is 1 and no further document is opened.
fn write(node: &Node, level: usize, planted: bool, spelling: &mut Spelling, out: &mut String) {
    match node {
        Node::Scalar(text) => out.push_str(text),
        Node::Text(words) => write_text(words, planted, out),
        Node::Nested(inner) if level > 0 => write(inner, level, planted, spelling, out),
        Node::Nested(inner) => {
            let mut text = String::new();
            // A document in a string is one only if it begins as one.
            text.push('[');
            write(inner, 1, planted, spelling, &mut text);
            text.push(']');
            out.push_str(&quoted(&text));
        }
        Node::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(spelling.space());
                write(item, level, planted, spelling, out);
            }
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}\"{name}\"{}:", spelling.space(), spelling.space());
                write(member, level, planted, spelling, out);
            }
            out.push_str(spelling.space());
            out.push('}');
        }
    }
}

fn write_text(words: &[Word], planted: bool, out: &mut String) {
    out.push('"');
    for word in words {
        match word {
            Word::Plain(text) => {
                let text = quoted(&text.replace(MARK, "$"));
                out.push_str(&text[1..text.len() - 1]);
            }
            Word::Key(_) if !planted => {
                let _ = write!(out, " {MARK} ");
            }
            Word::Key(escaped) => {
                out.push(' ');
                for (index, letter) in key().chars().enumerate() {
                    match escaped >> (index % 32) & 1 {
                        1 => {
                            let _ = write!(out, "\\u{:04X}", letter as u32);
                        }
                        _ => out.push(letter),
                    }
                }
                out.push(' ');
            }
        }
    }
    out.push('"');
}

/// A JSON string, with nothing but what must be escaped.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn body(nodes: &[Node], planted: bool, spaces: &[&'static str]) -> String {
    let mut spelling = Spelling { spaces: spaces.to_vec(), at: 0 };
    let mut out = String::from("{\"model\":\"claude-sonnet-4-6\",\"messages\":[");
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let role = if index % 2 == 0 { "user" } else { "assistant" };
        let _ = write!(out, "{{\"role\":\"{role}\",{}\"content\":", spelling.space());
        write(node, 0, planted, &mut spelling, &mut out);
        out.push('}');
    }
    out.push_str("],\"max_tokens\":64}");
    out
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces.push(&bytes[from..]);
    pieces
}

fn spaces() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["", "", " ", "\n  ", "\t", "\r\n"]), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planted_keys_are_hidden_and_nothing_else_changes(
        nodes in prop::collection::vec(node(), 1..5),
        spaces in spaces(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let sent = body(&nodes, true, &spaces);
        let script = post(REDACTING, MESSAGES, sent.clone());
        let run = run_on(snapshot(REDACTING), &script, &cut(sent.as_bytes(), &cuts), |it| vec![it]);
        prop_assert!(run.refused.is_none(), "refused: {sent}");
        let arrived = String::from_utf8(run.forwarded.unwrap().body).unwrap();
        let expected = body(&nodes, false, &spaces).replace(MARK, LABEL);
        prop_assert_eq!(&arrived, &expected, "of {}", sent);
        let document: Value = serde_json::from_str(&arrived).unwrap();
        prop_assert!(!leaves(&document).iter().any(|leaf| leaf.contains(&key())));
    }

    #[test]
    fn without_a_key_not_a_byte_changes(
        nodes in prop::collection::vec(node(), 1..5),
        spaces in spaces(),
        size in prop::sample::select(vec![0usize, 1, 2, 3, 7, 64]),
    ) {
        let sent = body(&nodes, false, &spaces);
        let run = run(&post(REDACTING, MESSAGES, sent.clone()), size);
        prop_assert_eq!(run.forwarded.map(|it| it.body), Some(sent.into_bytes()));
    }
}

//! Private keys as tools print files: a number, a path, a name or a time before each line. They are found whole.
use std::ops::Range;

use super::entries;
use super::reference_matcher::Matcher;
use crate::scan::{Engine, RuleSet, Stream};

/// The examples of a rule that are a whole file, from their first line to the line that ends it.
const FILES: [(&str, &[usize], &str); 3] = [
    ("secrets.private_keys.pem", &[0, 5], "PRIVATE KEY-----"),
    ("secrets.private_keys.pgp", &[0, 1], "PRIVATE KEY BLOCK-----"),
    ("secrets.private_keys.putty", &[0, 1], "Private-MAC: "),
];

/// A line of such a listing; `#` is its number.
const LISTINGS: [&str; 18] = [
    "     #→",
    "     #\t",
    "#: ",
    "# | ",
    "[#] ",
    "L#: ",
    "config/dev_key.pem:#:",
    "config/dev_key.pem-#-",
    "/srv/app2/Config/releases/20240502/dev_key.pem:",
    "// ",
    "+",
    "-  ",
    "> ",
    "1a2b3c4d5e6f7a8b9c0d1a2b3c4d5e6f7a8b9c0d (Ada Lovelace 2024-05-02 08:10:11 +0200 #) ",
    "2024-05-02T08:10:11.#21Z [pod/web-7d4b9c8f6d-x2x9z] ",
    "web_1  | ",
    "{\"line\": #} ",
    "\u{1b}[32m#\u{1b}[0m:",
];

fn found(engine: &Engine, rules: &RuleSet, text: &str, size: usize) -> Vec<Range<usize>> {
    let (mut stream, mut hits) = (Stream::new(rules.clone()), Vec::new());
    for piece in text.as_bytes().chunks(size) {
        stream.push(engine, piece, &mut hits);
    }
    stream.finish(engine, &mut hits);
    hits.into_iter().map(|hit| hit.secret).collect()
}

/// The text with `listing` before each line.
fn listed(text: &str, listing: &str, end: &str) -> String {
    let lines = text.lines().zip(1..).map(|(line, number)| listing.replace('#', &format!("{number}")) + line + end);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_is_found_whole_however_its_lines_are_listed() {
    let catalogue = entries().unwrap();
    for (id, examples, end) in FILES {
        let entry = catalogue.iter().find(|entry| entry.rule.info.id == id).unwrap();
        let engine = Engine::new(vec![entry.rule.clone()]).unwrap();
        let rules = engine.select(|_| true);
        for &example in examples {
            let file = entry.hits[example].trim_end().to_owned();
            let file = if file.ends_with(end) { file } else { format!("{file}\n{end}8bc4c78a9de8455c") };
            let begin = &file[..12];
            for (listing, line_end) in
                LISTINGS.map(|it| (it, "")).into_iter().chain([("", "<br>"), ("", " |"), ("# ", "\r")])
            {
                let text = format!("It says:\n{}\nThat is (by far) not all.\n", listed(&file, listing, line_end));
                let whole = text.find(begin).unwrap()..text.rfind(end).unwrap() + end.len();
                assert_eq!(Matcher::new(&entry.rule).find(&text), std::slice::from_ref(&whole), "{text}");
                for size in [text.len(), 64, 7, 1] {
                    assert_eq!(found(&engine, &rules, &text, size), std::slice::from_ref(&whole), "{size} of {text}");
                }
            }
        }
    }
}

//! The values of a file that may be secrets, in each format. Errors name a place, never what stands there.

use airiskguard_gateway::domain::Secret;

use crate::arguments::Format;

/// Nesting of a tree; deeper ones are refused.
const DEPTH_MAX: usize = 64;
/// Longest run of letters that is a word.
const WORD_CHARS_MAX: usize = 16;
/// What stands between words of names, addresses, paths and dates.
const SEPARATORS: &str = "-_./:,;=?&@ ";
/// Longest run of digits that is a number, a date or a port.
const NUMBER_CHARS_MAX: usize = 8;

/// A value that may be a secret.
#[derive(Debug)]
pub(super) struct Value {
    /// The variable or the key that it stands under.
    pub(super) name: Option<String>,
    /// Where a person finds it.
    pub(super) place: String,
    pub(super) text: Secret,
    /// One of a list of nothing but secrets.
    pub(super) is_listed: bool,
}

/// All values of a text, empty ones left out.
pub(super) fn read(text: &str, format: Format, origin: &str) -> Result<Vec<Value>, String> {
    let mut values = match format {
        Format::Lines => lines(text, origin),
        Format::Env => env(text, origin)?,
        Format::Json => {
            let root: serde_json::Value = serde_json::from_str(text)
                .map_err(|error| format!("not JSON at line {} column {}", error.line(), error.column()))?;
            let mut values = Vec::new();
            json(&root, &mut Path { origin, keys: Vec::new() }, &mut values)?;
            values
        }
        Format::Yaml => {
            let root: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| match error.location() {
                Some(place) => format!("not YAML at line {} column {}", place.line(), place.column()),
                None => "not YAML".to_owned(),
            })?;
            let mut values = Vec::new();
            yaml(&root, &mut Path { origin, keys: Vec::new() }, &mut values)?;
            values
        }
    };
    values.retain(|it| !it.text.expose().is_empty());
    Ok(values)
}

fn lines(text: &str, origin: &str) -> Vec<Value> {
    let value = |(index, line): (usize, &str)| Value {
        name: None,
        place: format!("{origin} line {}", index + 1),
        text: Secret::new(line.trim().to_owned()),
        is_listed: true,
    };
    text.lines().enumerate().map(value).collect()
}

/// `KEY=value`, `export KEY=value`, with quotes that may span lines, and comments.
fn env(text: &str, origin: &str) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    let (mut rest, mut number) = (text, 1);
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        let trimmed = line.trim_start();
        let mut used = line.len();
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            let at = |what: &str| format!("line {number}: {what}");
            let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed);
            let (name, _) = assignment.split_once('=').ok_or_else(|| at("expected `KEY=value`"))?;
            let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
            let name = name.trim();
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(at("expected the name of a variable before `=`"));
            }
            let from = line.find('=').map_or(line.len(), |at| at + 1);
            let (value, length) = env_value(&rest[from..]).ok_or_else(|| at("this quote has no end"))?;
            used = from + length;
            values.push(Value {
                name: Some(name.to_owned()),
                place: format!("{origin} line {number}"),
                text: Secret::new(value.trim().to_owned()),
                is_listed: false,
            });
        }
        // What stands behind a closing quote, as a comment, belongs to its line.
        let end = rest[used..].find('\n').map_or(rest.len(), |at| used + at + 1);
        number += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    Ok(values)
}

/// The value at the beginning of `text`, and how many bytes of it that took. `None` for a quote without an end.
fn env_value(text: &str) -> Option<(String, usize)> {
    let lead = text.len() - text.trim_start_matches([' ', '\t']).len();
    let quote = text[lead..].chars().next().filter(|it| matches!(it, '"' | '\'' | '`'));
    let Some(quote) = quote else {
        let line = text.lines().next().unwrap_or_default();
        let end = line.find(" #").unwrap_or(line.len());
        return Some((line[..end].to_owned(), line.len()));
    };
    let mut value = String::new();
    let mut characters = text[lead + 1..].char_indices();
    while let Some((at, it)) = characters.next() {
        match it {
            it if it == quote => return Some((value, lead + 1 + at + 1)),
            '\\' if quote == '"' => value.push(match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            }),
            it => value.push(it),
        }
    }
    None
}

/// Where a leaf of a tree stands.
struct Path<'a> {
    origin: &'a str,
    keys: Vec<String>,
}

impl Path<'_> {
    fn value(&self, text: &str) -> Value {
        Value {
            name: self.keys.iter().rev().find(|it| !it.starts_with('[')).cloned(),
            place: format!("{} {}", self.origin, self.keys.join(".").replace(".[", "[")),
            text: Secret::new(text.trim().to_owned()),
            is_listed: false,
        }
    }

    fn enter(&mut self, key: String) -> Result<(), String> {
        self.keys.push(key);
        if self.keys.len() > DEPTH_MAX { Err(format!("nested deeper than {DEPTH_MAX} levels")) } else { Ok(()) }
    }
}

fn json(node: &serde_json::Value, path: &mut Path<'_>, values: &mut Vec<Value>) -> Result<(), String> {
    match node {
        serde_json::Value::String(text) => values.push(path.value(text)),
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.enter(format!("[{index}]"))?;
                json(item, path, values)?;
                path.keys.pop();
            }
        }
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                path.enter(key.clone())?;
                json(value, path, values)?;
                path.keys.pop();
            }
        }
        _ => {}
    }
    Ok(())
}

fn yaml(node: &serde_yaml::Value, path: &mut Path<'_>, values: &mut Vec<Value>) -> Result<(), String> {
    match node {
        serde_yaml::Value::String(text) => values.push(path.value(text)),
        serde_yaml::Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.enter(format!("[{index}]"))?;
                yaml(item, path, values)?;
                path.keys.pop();
            }
        }
        serde_yaml::Value::Mapping(entries) => {
            for (key, value) in entries {
                path.enter(key.as_str().unwrap_or("?").to_owned())?;
                yaml(value, path, values)?;
                path.keys.pop();
            }
        }
        serde_yaml::Value::Tagged(tagged) => yaml(&tagged.value, path, values)?,
        _ => {}
    }
    Ok(())
}

/// Whether a value is made of words and short numbers alone, as the name of a region, a host, a path or a date is: such
/// a value stands in ordinary text, too.
pub(super) fn is_ordinary(text: &str) -> bool {
    if !text.chars().all(|it| it.is_alphanumeric() || SEPARATORS.contains(it)) {
        return false;
    }
    let (mut in_words, mut in_scraps) = (0, 0);
    for part in text.split(|it: char| !it.is_alphanumeric()) {
        let letters = part.trim_matches(|it: char| it.is_ascii_digit());
        let digits = part.len() - letters.len();
        match letters.chars().count() {
            0 if digits <= NUMBER_CHARS_MAX => {}
            1 | 2 if digits <= 4 => in_scraps += letters.len(),
            3.. if digits <= 2 && is_word(letters) => in_words += letters.len(),
            _ => return false,
        }
    }
    // A handful of single letters and digits is no name; the `T` of a time is one letter.
    in_scraps <= in_words.max(2)
}

/// Letters in one case, or with capitals as names have them.
fn is_word(letters: &str) -> bool {
    let all = letters.chars().all(char::is_alphabetic);
    let capitals = letters.chars().skip(1).filter(|it| it.is_uppercase()).count();
    let count = letters.chars().count();
    all && count <= WORD_CHARS_MAX && (capitals + 1 == count || capitals * 5 <= count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, format: Format) -> Vec<(String, String, String)> {
        let values = read(text, format, "x").unwrap();
        let row = |it: Value| (it.name.unwrap_or_default(), it.place, it.text.expose().to_owned());
        values.into_iter().map(row).collect()
    }

    fn row(name: &str, place: &str, text: &str) -> (String, String, String) {
        (name.to_owned(), place.to_owned(), text.to_owned())
    }

    #[test]
    fn lines_are_values() {
        assert_eq!(found("a b\r\n\n  #c= \n", Format::Lines), [row("", "x line 1", "a b"), row("", "x line 3", "#c=")]);
    }

    #[test]
    fn environments_are_read_as_shells_and_tools_read_them() {
        let text = "# note\nA=one # two\nexport B='x # y'  # z\n\nC = \"l\\\"1\nl2\\n\" # m\nD=a=b==\nE=\nF=`q`";
        let expected = [
            row("A", "x line 2", "one"),
            row("B", "x line 3", "x # y"),
            row("C", "x line 5", "l\"1\nl2"),
            row("D", "x line 7", "a=b=="),
            row("F", "x line 9", "q"),
        ];
        assert_eq!(found(text, Format::Env), expected);
        assert_eq!(found(&text.replace('\n', "\r\n"), Format::Env).len(), 5);
    }

    #[test]
    fn every_text_of_a_tree_is_a_value() {
        let json = r#"{"data": {"db": {"password": "p\"1"}, "list": ["u", 7, null, {"k": " v\n"}]}, "n": 12}"#;
        let expected = [
            row("password", "x data.db.password", "p\"1"),
            row("list", "x data.list[0]", "u"),
            row("k", "x data.list[3].k", "v"),
        ];
        assert_eq!(found(json, Format::Json), expected);
        assert_eq!(found(json, Format::Yaml), expected);
        assert_eq!(found("a: !vault |\n  one\n  two\n", Format::Yaml), [row("a", "x a", "one\ntwo")]);
    }

    #[test]
    fn errors_name_a_place_and_no_value() {
        let cases = [
            ("A=1\nhunter2", Format::Env, "line 2: expected `KEY=value`"),
            ("A=1\nhun ter=2", Format::Env, "line 2: expected the name of a variable before `=`"),
            ("A='hunter2\n", Format::Env, "line 1: this quote has no end"),
            ("{\"a\": hunter2}", Format::Json, "not JSON at line 1 column 7"),
            ("a: 'hunter2", Format::Yaml, "not YAML at line 1 column"),
        ];
        for (text, format, expected) in cases {
            let error = read(text, format, "x").unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("hun"), "{error}");
        }
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(read(&deep, Format::Json, "x").is_err());
    }

    #[test]
    fn ordinary_values_are_made_of_words() {
        for text in [
            "production",
            "us-east-1",
            "https://api.example.com:8443/v2/users",
            "/var/lib/app/data",
            "2026-11-22T10:00:00",
            "localhost:5432",
            "com.example.MyServiceImpl",
            "DEBUG_LOGGING",
            "application/json; charset=utf-8",
        ] {
            assert!(is_ordinary(text), "{text}");
        }
        for text in [
            "zk3vQ9xM1pL7rT",
            "postgres://app:zk3vQ9xM1p@db.internal/app",
            "Summer2024!",
            "Zk3-vQ9_xM1",
            "q\"8\\Rt/5 ab-Wy",
            "kJHgFdSaPoIuYt",
            "3f2504e04f8911d39a0c0305e82c3301",
            "123456789012",
            "abcdefghijklmnopqrstuvwxyzabcdef",
        ] {
            assert!(!is_ordinary(text), "{text}");
        }
    }
}

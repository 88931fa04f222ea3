//! Texts that the benches read: ordinary ones, and pieces that make an engine work when they are repeated.
#![allow(dead_code, reason = "each bench takes what it needs")]

pub(crate) mod session;

/// Prose and code as an agent sends them: no secrets, the usual near misses.
pub(crate) fn prompt(bytes: usize) -> Vec<u8> {
    let parts = [
        "You are a coding agent. Read the files, make the smallest change that solves the problem, and run the tests. ",
        "The function below returns the parsed configuration; please make it reject unknown keys with a clear message.\n",
        "```rust\npub fn parse(text: &str) -> Result<Config, Error> {\n    let mut config = Config::default();\n",
        "    for (number, line) in text.lines().enumerate() {\n        let Some((key, value)) = line.split_once('=') else {\n",
        "            return Err(Error::new(number + 1, \"expected key = value\"));\n        };\n        config.set(key, value)?;\n    }\n",
        "{\"type\": \"object\", \"properties\": {\"path\": {\"type\": \"string\", \"description\": \"Absolute path\"}}}\n",
        "2026-03-14T09:26:53Z INFO request 4711 took 12.5 ms, 1024 bytes, status 200, user 42\n",
        "import os\nimport json\n\ndef load(path):\n    with open(path) as handle:\n        return json.load(handle)\n",
        "commit 3f2a9c11d04be7a85e6609 by a developer: fix the import order, update dependencies, close the ticket\n",
    ];
    let mut text = Vec::with_capacity(bytes + 256);
    let mut seed = 7usize;
    while text.len() < bytes {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        text.extend_from_slice(parts[(seed >> 33) % parts.len()].as_bytes());
    }
    text.truncate(bytes);
    text
}

/// Pieces that belong to no rule; repeated, each wears out another part of an engine.
pub(crate) const SHAPES: &[&str] = &[
    "@",
    "@a",
    "a@",
    "aB3.x-y@",
    "aB3.x",
    "A_B",
    "://",
    "a://",
    "a://b:c@",
    "1",
    "1 ",
    "12.",
    "1234567890",
    "1234-",
    "1234 ",
    "123-45-",
    "4111 1111 1111 ",
    "4111-1111-1111-1111-",
    "(415) ",
    "415-867-",
    "415.867.",
    "1.5, ",
    "0.4111111111111, ",
    "1/2/",
    "1+2+",
    "(1) ",
    "10.0.0.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    "eyJ",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYWRlLXVwIn0.",
    "%41",
    "%41%4",
    "&#65;",
    "\u{200b}",
    "a\u{200b}",
    "\u{ff21}",
    "4142434445464748",
    "\"'",
    "' or ",
    "\" + ",
    "=\"a",
    "{",
    "\n",
    " ",
    "\0",
    "ü",
    "password=\"",
    "password = ",
    "token=a",
    "secret: a",
    "{{x}}",
    "${x}",
    "select ",
    "union select ",
    "execute(f\"select {",
    "query(`select ",
    "open(a(a(a(",
    "hashlib.md5(",
    "random.random()",
    "token = random",
];

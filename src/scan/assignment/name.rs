//! What the name of a value says of it.

use super::syntax::is_name;

/// Words of a name that are looked at, from its end.
const WORDS_MAX: usize = 8;
/// Bytes of the text before the keyword that may belong to the name.
const PREFIX_BYTES_MAX: usize = 64;

/// What kind of secret a name announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Chosen by a person, as a rule: passwords and passphrases.
    Password,
    /// Made by a machine or chosen like a password.
    Secret,
    /// Made by a machine: tokens and keys.
    Key,
    /// The key of something that no list knows: it must be long and random.
    UnknownKey,
}

/// A name in lower-case words, the last one first.
#[derive(Debug)]
pub(super) struct Name {
    words: Vec<String>,
}

/// Words behind the one that counts: they tell a version or a form, not another thing.
const FORMS: [&str; 40] = [
    "value",
    "string",
    "str",
    "text",
    "raw",
    "plain",
    "plaintext",
    "cleartext",
    "base64",
    "b64",
    "hex",
    "base",
    "prod",
    "production",
    "dev",
    "development",
    "staging",
    "stage",
    "qa",
    "test",
    "testing",
    "live",
    "sandbox",
    "local",
    "default",
    "primary",
    "secondary",
    "old",
    "new",
    "current",
    "const",
    "env",
    "var",
    "bytes",
    "again",
    "confirm",
    "confirmation",
    "repeat",
    "real",
    "master",
];

/// Words that make another thing of it, wherever they stand: what is public, a form of storage, or how a list goes on.
const OTHERS: [&str; 24] = [
    "public",
    "pub",
    "hash",
    "hashed",
    "hashes",
    "digest",
    "checksum",
    "fingerprint",
    "type",
    "csrf",
    "xsrf",
    "next",
    "page",
    "continuation",
    "cursor",
    "pagination",
    "tokenizer",
    "placeholder",
    "partition",
    "foreign",
    "sort",
    "idempotency",
    "thumbprint",
    "integrity",
];

/// What makes a `key` a secret one.
const KEYS_OF: [&str; 60] = [
    "api",
    "access",
    "secret",
    "private",
    "auth",
    "authentication",
    "authorization",
    "encryption",
    "encrypt",
    "encrypted",
    "signing",
    "sign",
    "signature",
    "master",
    "account",
    "storage",
    "client",
    "consumer",
    "app",
    "application",
    "license",
    "licence",
    "service",
    "session",
    "server",
    "admin",
    "shared",
    "subscription",
    "webhook",
    "deploy",
    "deployment",
    "cookie",
    "jwt",
    "hmac",
    "aes",
    "crypto",
    "cipher",
    "instrumentation",
    "ingest",
    "write",
    "ssh",
    "security",
    "secure",
    "symmetric",
    "root",
    "user",
    "developer",
    "integration",
    "merchant",
    "preshared",
    "psk",
    "project",
    "connection",
    "sas",
    "token",
    "django",
    "flask",
    "rails",
    "fernet",
    "nonce",
];

/// Keys that are none of this: what looks values up, orders or draws them.
const OTHER_KEYS: [&str; 44] = [
    "cache",
    "primary",
    "unique",
    "index",
    "object",
    "row",
    "map",
    "dict",
    "group",
    "routing",
    "site",
    "i18n",
    "translation",
    "message",
    "lookup",
    "storage",
    "bucket",
    "s3",
    "file",
    "host",
    "gpg",
    "pgp",
    "property",
    "config",
    "setting",
    "field",
    "column",
    "table",
    "header",
    "query",
    "param",
    "parameter",
    "event",
    "hot",
    "arrow",
    "enter",
    "tab",
    "shortcut",
    "search",
    "json",
    "yaml",
    "dedup",
    "lock",
    "metadata",
];

/// Last words of names, the last one first, of what protocols show to everybody: `ChangeToken`, `Sec-WebSocket-Key`.
const SHOWN: [[&str; 2]; 6] = [
    ["token", "change"],
    ["token", "lock"],
    ["token", "sync"],
    ["token", "action"],
    ["key", "socket"],
    ["key", "websocket"],
];
/// Words with a blank behind them that belong to the name of a key: `API key: …`.
const SPOKEN: [&[u8]; 2] = [b"api ", b"access "];

const PASSWORDS: [&str; 16] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "pass",
    "passcode",
    "pw",
    "kennwort",
    "senha",
    "contrasena",
    "motdepasse",
    "passw",
    "psw",
    "psk",
];

const SECRETS: [&str; 14] = [
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "creds",
    "cred",
    "pat",
    "apikey",
    "accesskey",
    "secretkey",
    "authkey",
    "privatekey",
];

impl Name {
    /// The name whose keyword begins where `before` ends; `after` goes on from the keyword to the end of the name.
    pub(super) fn new(before: &[u8], after: &[u8]) -> Name {
        let spoken = |word: &&&[u8]| {
            let start = before.len().checked_sub(word.len());
            start.is_some_and(|start| {
                before[start..].eq_ignore_ascii_case(word) && !before[..start].last().is_some_and(|byte| is_name(*byte))
            })
        };
        let prefix = match SPOKEN.iter().find(spoken) {
            Some(word) => word.len(),
            None => before.iter().rev().take(PREFIX_BYTES_MAX).take_while(|byte| is_name(**byte)).count(),
        };
        let mut whole = before[before.len() - prefix..].to_vec();
        whole.extend_from_slice(after);
        let mut words: Vec<String> = Vec::new();
        let mut previous = b' ';
        for (index, &byte) in whole.iter().enumerate() {
            let small_follows = whole.get(index + 1).is_some_and(u8::is_ascii_lowercase);
            let begins = !previous.is_ascii_alphanumeric()
                || byte.is_ascii_uppercase()
                    && (previous.is_ascii_lowercase() || previous.is_ascii_uppercase() && small_follows)
                || byte.is_ascii_digit() != previous.is_ascii_digit();
            if byte.is_ascii_alphanumeric() {
                if begins || words.is_empty() {
                    words.push(String::new());
                }
                if let Some(word) = words.last_mut() {
                    word.push(char::from(byte.to_ascii_lowercase()));
                }
            }
            previous = byte;
        }
        words.reverse();
        words.truncate(WORDS_MAX);
        Name { words }
    }

    /// Whether it is that of a number by which a client marks a request, if the value is one: `ClientToken`.
    pub(super) fn marks_request(&self) -> bool {
        self.words.first().is_some_and(|word| word == "token" || word == "clienttoken")
            && self.words.iter().any(|word| matches!(word.as_str(), "client" | "clienttoken" | "request"))
    }

    /// What kind of secret it announces, if any.
    pub(super) fn kind(&self) -> Option<Kind> {
        if self.words.iter().any(|word| OTHERS.contains(&word.as_str()) || word.starts_with("csrf")) {
            return None;
        }
        if SHOWN.iter().any(|shown| self.words.starts_with(&shown.map(str::to_owned))) {
            return None;
        }
        let is_form = |word: &&String| FORMS.contains(&word.as_str()) || word.bytes().all(|byte| byte.is_ascii_digit());
        let mut words = self.words.iter().skip_while(is_form);
        let word = words.next().or(self.words.first())?;
        if PASSWORDS.contains(&word.as_str()) || ends_with_any(word, &["password", "passwd", "passphrase", "pwd"]) {
            return Some(Kind::Password);
        }
        if matches!(word.as_str(), "secret" | "secrets") || word.ends_with("secret") {
            return Some(Kind::Secret);
        }
        if SECRETS.contains(&word.as_str())
            || ends_with_any(word, &["token", "apikey", "secretkey", "accesskey", "authkey"])
        {
            return Some(Kind::Key);
        }
        // `dbpass` and `rootpass`, not `bypass` and `compass`.
        if ends_with_any(
            word,
            &["dbpass", "rootpass", "userpass", "adminpass", "mypass", "mailpass", "smtppass", "ftppass"],
        ) {
            return Some(Kind::Password);
        }
        let before = words.next()?.as_str();
        match word.as_str() {
            "phrase" | "word" if before == "pass" => Some(Kind::Password),
            "key" | "keys" | "auth" if KEYS_OF.contains(&before) => Some(Kind::Key),
            "key" if before.len() > 1 && !OTHER_KEYS.contains(&before) => Some(Kind::UnknownKey),
            _ => None,
        }
    }
}

fn ends_with_any(word: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Option<Kind> {
        Name::new(name.as_bytes(), b"").kind()
    }

    #[test]
    fn names_of_secrets() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "user.pwd",
            "PGPASSWORD",
            "adminPassword2",
            "rootpass",
            "PASS",
            "pass_phrase",
            "wifi_psk",
        ] {
            assert_eq!(kind(name), Some(Kind::Password), "{name}");
        }
        for name in ["token", "API_KEY", "apiKey", "X-Api-Key", "aws.secretAccessKey", "AUTH_TOKEN_PROD"] {
            assert_eq!(kind(name), Some(Kind::Key), "{name}");
        }
    }

    #[test]
    fn names_of_what_is_chosen_or_made() {
        for name in ["clientSecret", "JWTSecret", "APP_SECRET"] {
            assert_eq!(kind(name), Some(Kind::Secret), "{name}");
        }
        assert_eq!(kind("JINA_KEY"), Some(Kind::UnknownKey));
    }

    #[test]
    fn names_with_a_blank() {
        let kind = |before: &str, after: &str| Name::new(before.as_bytes(), after.as_bytes()).kind();
        assert_eq!(kind("my API ", "key"), Some(Kind::Key));
        assert_eq!(kind("the primary ", "key"), None);
        assert_eq!(kind("the therapi ", "key"), None);
    }

    #[test]
    fn names_of_other_things() {
        for name in [
            "key",
            "primaryKey",
            "passwordHash",
            "password_field",
            "tokenType",
            "nextPageToken",
            "publicKey",
            "csrf_token",
            "bypass",
            "compass",
            "keyboard",
            "tokens_max",
            "ChangeToken",
            "lock-token",
            "LifecycleActionToken",
            "Sec-WebSocket-Key",
            "csrfmiddlewaretoken",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}

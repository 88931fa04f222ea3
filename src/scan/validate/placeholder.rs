//! The one place that knows what stands where a secret would stand, and is none: masks, templates, sample words.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::source;

/// A run of one character so long is a mask: no generated token has it.
const RUN_MIN: usize = 6;

/// Openers and closers of template languages, and of this gateway's own labels.
const TEMPLATE_MARKS: [&str; 14] =
    ["${", "$(", "{{", "}}", "<%", "%>", "#{", "%(", "[[", "<your", "[redacted", "<redacted", "...", "\u{2026}"];

/// Those of [`TEMPLATE_MARKS`] that open.
const OPENERS: [&str; 7] = ["${", "$(", "{{", "<%", "#{", "%(", "[["];

/// Parts of the text that fetches a value from elsewhere instead of stating it.
const LOOKUPS: [&str; 30] = [
    "os.environ",
    "getenv",
    "process.env",
    "import.meta.env",
    "env(",
    "env[",
    "env::var",
    "config.",
    "config[",
    "settings.",
    "secrets.",
    "secretsmanager",
    "vault:",
    "vault/",
    "/run/secrets",
    "keyring.",
    "args.",
    "self.",
    "this.",
    "req.",
    "request.",
    "props.",
    "params.",
    "ctx.",
    "input(",
    "getpass",
    "file://",
    "op://",
    "enc[",
    "arn:",
];

/// Words of which sample values are made.
const SAMPLE_WORDS: [&str; 25] = [
    "example",
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "placeholder",
    "your-",
    "your_",
    "yourpass",
    "yoursecret",
    "yourtoken",
    "yourkey",
    "yourapi",
    "insert-",
    "insert_",
    "replace-",
    "replace_",
    "replaceme",
    "redacted",
    "dummy",
    "foobar",
    "lorem",
    "sample",
    "not-a-real",
    "correct%20horse",
];

/// Words that name the thing instead of being it, by their first letters. A value made only of these is none.
const NAMES: [&str; 82] = [
    "a",
    "access",
    "account",
    "admin",
    "an",
    "api",
    "app",
    "auth",
    "authorization",
    "aws",
    "basic",
    "bearer",
    "client",
    "code",
    "config",
    "credential",
    "credentials",
    "customer",
    "database",
    "db",
    "default",
    "demo",
    "dev",
    "disabled",
    "empty",
    "enabled",
    "encrypted",
    "env",
    "false",
    "field",
    "fixme",
    "foo",
    "guest",
    "hash",
    "hashed",
    "hidden",
    // The password that every text about passwords has.
    "hunter",
    "id",
    "input",
    "invalid",
    "jwt",
    "key",
    "keys",
    "letters",
    "local",
    "login",
    "my",
    "name",
    "new",
    "nil",
    "no",
    "none",
    "not",
    "null",
    "number",
    "of",
    "old",
    "optional",
    "pass",
    "passphrase",
    "password",
    "passwd",
    "plain",
    "postgres",
    "private",
    "pwd",
    "required",
    "root",
    "secret",
    "session",
    "set",
    "some",
    "string",
    "test",
    "text",
    "the",
    "todo",
    "token",
    "true",
    "undefined",
    "user",
    "value",
];

/// Names of types that carry a number.
const TYPE_WORDS: [&str; 9] = ["uint8", "int32", "int64", "uint32", "float32", "float64", "utf8", "utf16", "base64"];

/// What stands beside a password in lists of ways to store and send one, and letters and digits as passwords are.
const ALGORITHMS: [&str; 20] = [
    "scram-sha-1",
    "scram-sha-256",
    "scram-sha-512",
    "latin1",
    "latin-1",
    "iso-8859-1",
    "windows-1252",
    "x.509",
    "sha256",
    "sha512",
    "sha-256",
    "sha-512",
    "argon2",
    "argon2i",
    "argon2id",
    "pbkdf2",
    "pbkdf2_sha256",
    "oauth2",
    "aes-256-gcm",
    "aes-256-cbc",
];

/// Longest value that is compared with the lists, bytes. What is longer is measured by its head.
const VALUE_BYTES_MAX: usize = 256;

/// [`TEMPLATE_MARKS`] in one pass.
static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| any_of(&[&TEMPLATE_MARKS]));
/// All lists of parts in one pass.
static PARTS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| any_of(&[&TEMPLATE_MARKS, &LOOKUPS, &SAMPLE_WORDS, &TYPE_WORDS]));

/// `None` cannot be: the lists are constants, and the tests use them.
fn any_of(lists: &[&[&str]]) -> Option<AhoCorasick> {
    AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(lists.concat()).ok()
}

/// An opener of a template opens one only where a name or an expression follows: random signs stand in a row, too.
fn contains_any(parts: &LazyLock<Option<AhoCorasick>>, text: &str) -> bool {
    let is_opener = |part: &str| OPENERS.contains(&part);
    let opens = |rest: &str| rest.starts_with(|it: char| it.is_ascii_alphabetic() || " _.'\"-/{$@&:".contains(it));
    parts.as_ref().is_some_and(|parts| {
        parts.find_iter(text).any(|found| !is_opener(&text[found.range()]) || opens(&text[found.end()..]))
    })
}

/// Whether `value` is a mask, a template or a reference to a variable.
pub(in crate::scan) fn is_masked(value: &[u8]) -> bool {
    let text = lower(value);
    is_masked_text(&text) || contains_any(&MARKS, &text)
}

/// All that makes a mask except the marks of templates.
fn is_masked_text(text: &str) -> bool {
    let text = text.trim_matches([' ', '"', '\'', '`']);
    has_run(text) || is_one_character(text) || is_reference(text)
}

/// Whether `value` is masked, or looked up, or made of words that stand in for a secret.
pub(in crate::scan) fn is_placeholder(value: &[u8]) -> bool {
    let text = lower(value);
    is_masked_text(&text)
        || contains_any(&PARTS, &text)
        || is_made_of_names(&text)
        || is_path(&text)
        || ALGORITHMS.contains(&text.as_str())
        || source::is_template(value)
        || source::is_variable_name(value)
}

/// Whether `value` repeats the name it is assigned to, as in `password: user.password2` or `token="auth_token_v2"`.
pub(in crate::scan) fn names_itself(value: &[u8], whole: &[u8]) -> bool {
    let value = &value[..value.len().min(VALUE_BYTES_MAX)];
    let whole = &whole[..whole.len().min(VALUE_BYTES_MAX)];
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let plain = |it: &u8| it.is_ascii_alphabetic() || matches!(it, b'_' | b'-' | b'.');
    let name = whole.split(|it| !it.is_ascii_alphanumeric()).next().unwrap_or_default();
    name.len() >= 3
        && value[..value.len() - digits].iter().all(plain)
        && value.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name))
}

/// Whether `value` mixes letters with digits or signs.
pub(super) fn is_mixed(value: &[u8]) -> bool {
    let sign =
        |byte: &u8| matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'?' | b'+' | b'~' | b'=');
    value.iter().any(u8::is_ascii_alphabetic) && value.iter().any(|byte| byte.is_ascii_digit() || sign(byte))
}

fn lower(value: &[u8]) -> String {
    let value = &value[..value.len().min(VALUE_BYTES_MAX)];
    if let Ok(mut text) = String::from_utf8(value.to_vec()) {
        text.make_ascii_lowercase();
        return text;
    }
    String::from_utf8_lossy(value).to_ascii_lowercase()
}

/// `xxxx`, `****` and longer runs of anything else; of `a`, which is zero in base64, only one that is half of it all.
fn has_run(text: &str) -> bool {
    let mut run = 0;
    let mut previous = 0;
    text.bytes().any(|byte| {
        run = if byte == previous { run + 1 } else { 1 };
        previous = byte;
        run >= match byte {
            b'x' | b'*' | b'#' => 4,
            b'a' => RUN_MIN.max(text.len() / 2),
            _ => RUN_MIN,
        }
    })
}

fn is_one_character(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_none_or(|first| bytes.all(|byte| byte == first))
}

/// `$NAME`, `%NAME%`, `%s`, `<name>`, `{name}`, `@NAME@`, `:name`, `!Ref Name`, `&name`, `*name`.
fn is_reference(text: &str) -> bool {
    let name =
        |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-. ".contains(&it));
    let within = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let pairs = [('<', '>'), ('{', '}'), ('%', '%'), ('@', '@'), ('[', ']')];
    pairs.into_iter().any(|(open, close)| within(open, close).is_some_and(name))
        || text
            .strip_prefix(['$', ':', '!', '%'])
            .is_some_and(|rest| name(rest) && !rest.starts_with(|it: char| it.is_ascii_digit()))
}

/// `my-secret-name`, `test_password_1`, `null`: nothing but words that name a secret, and perhaps one digit.
fn is_made_of_names(text: &str) -> bool {
    let text = text.trim_end_matches(['.', ',', ';', ':', ')', '!']);
    let text = text.strip_suffix(|it: char| it.is_ascii_digit()).unwrap_or(text);
    let mut parts = text.split(|it: char| !it.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.all(is_names)
}

/// Whether `part` can be cut into words of [`NAMES`]: `dbpassword`.
fn is_names(part: &str) -> bool {
    // reachable[i]: the first i bytes are words. Parts are at most VALUE_BYTES_MAX long, so this is bounded.
    let mut reachable = vec![false; part.len() + 1];
    reachable[0] = true;
    for start in 0..part.len() {
        if reachable[start] && part.is_char_boundary(start) {
            let rest = &part.as_bytes()[start..];
            let from = NAMES.partition_point(|word| word.as_bytes()[0] < rest[0]);
            let alike = NAMES[from..].iter().take_while(|word| word.as_bytes()[0] == rest[0]);
            for word in alike.filter(|word| rest.starts_with(word.as_bytes())) {
                reachable[start + word.len()] = true;
            }
        }
    }
    reachable[part.len()]
}

/// A path, an address without a password, or a dotted name.
fn is_path(text: &str) -> bool {
    let dotted = |text: &str| {
        text.contains('.')
            && text.split('.').all(|part| part.starts_with(|it: char| it.is_ascii_alphabetic()) && is_word(part))
    };
    let starts = ["/", "./", "../", "~/", "http://", "https://", "projects/", "ssh-"];
    starts.iter().any(|start| text.starts_with(start)) || dotted(text)
}

/// Letters and `_`, digits only at the end and at most two.
fn is_word(part: &str) -> bool {
    let stem = part.trim_end_matches(|it: char| it.is_ascii_digit());
    part.len() - stem.len() <= 2 && stem.bytes().all(|it| it.is_ascii_alphabetic() || it == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_templates() {
        let masked = [
            "",
            "xxxxxxxxxxxx",
            "sk-ant-XXXXXXXX",
            "********",
            "000000000000",
            "${DB_PASSWORD}",
            "{{ password }}",
            "$PASSWORD",
            "<password>",
            "%(password)s",
            "%s",
            "%DB_PASS%",
            "$(cat file)",
            "[REDACTED:JWT_TOKEN]",
            "sk-...",
            "eyJ\u{2026}",
            "<%= secret %>",
            "!Ref Password",
            "#{secret}",
            "@PASSWORD@",
        ];
        for value in masked {
            assert!(is_masked(value.as_bytes()), "{value}");
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn sample_words_and_lookups() {
        let placeholders = [
            "changeme",
            "your-password",
            "YOUR_API_KEY",
            "my-secret-name",
            "example-token-1",
            "password",
            "None",
            "test_password_1",
            "dbpassword",
            "os.environ[\"X\"]",
            "process.env.TOKEN",
            "config.get(\"x\")",
            "self.password2",
            "/run/secrets/db",
            "user.token2",
            "https://host/token1",
            "Uint8Array",
            "ENC[AES256_GCM,data:a1]",
            "REPLACE_ME",
            "insert-your-token-here",
            "arn:aws:x:1",
            "AZURE_OPENAI_API_KEY",
            "[parameters('adminPassword')]",
            "scram-sha-256",
        ];
        for value in placeholders {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn values_that_are_meant() {
        for value in
            ["hunter2x", "Tr0ub4dor&3", "S3cr3t!pw", "q8Zr2LmX9vT4", "admin123", "P@ssw0rd", "pa$$w0rd", "a.b.c1d2e3"]
        {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
            assert!(!is_masked(value.as_bytes()), "{value}");
        }
        let documented = concat!("AKIA", "IOSFODNN7EXAMPLE").as_bytes();
        assert!(!is_masked(documented));
        assert!(is_placeholder(documented));
    }

    #[test]
    fn names_are_not_their_own_value() {
        assert!(names_itself(b"auth_token_v2", b"token = \"auth_token_v2\""));
        assert!(!names_itself(b"hunter2", b"password = hunter2"));
        assert!(!names_itself(b"my$ecret-token9!", b"token = my$ecret-token9!"));
    }

    #[test]
    fn passwords_mix() {
        assert!(is_mixed(b"hunter2"));
        assert!(is_mixed(b"correct!horse"));
        assert!(!is_mixed(b"horse"));
        assert!(!is_mixed(b"123456"));
    }
}

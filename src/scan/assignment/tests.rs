//! Assignments in every syntax that the reader knows, cut at every byte, and values that are credentials or not.

use proptest::prelude::*;

use super::{Read, is_password, is_random_key, is_weak_password, read};
use crate::scan::validate::Matched;

/// The value that is read where the keyword begins at `¦`.
fn value(text: &str) -> Option<String> {
    let (before, text) = text.split_once('¦').unwrap();
    let whole = match read(before.as_bytes(), text.as_bytes(), true) {
        Read::Value(range) => Some(text[range].to_owned()),
        Read::No(_) => None,
        Read::More => panic!("{text:?} is complete"),
    };
    // A shorter text either says the same or asks for more.
    for cut in 0..text.len() {
        let Some(piece) = text.get(..cut) else { continue };
        match read(before.as_bytes(), piece.as_bytes(), false) {
            Read::More => {}
            Read::Value(range) => assert_eq!(Some(piece[range].to_owned()), whole, "{piece:?}"),
            Read::No(_) => assert_eq!(whole, None, "{piece:?}"),
        }
    }
    whole
}

#[test]
fn one_reader_for_every_syntax() {
    let written = [
        "¦password=abc1",
        "DB_¦PASSWORD='abc1'",
        "¦password   =>   \"abc1\"",
        "¦password := `abc1`",
        "\"¦password\": \"abc1\",",
        "{\\\"¦password\\\": \\\"abc1\\\"}",
        "¦password: abc1\n",
        "let ¦password: &str = \"abc1\";",
        "var ¦password string = \"abc1\"",
        "¦password: Option<String> = Some(\"abc1\".into())",
        "¦password ::= \"abc1\"",
        "if ¦password == 'abc1':",
        "if (¦password !== \"abc1\") {",
        "¦password ?= abc1",
        "config[\"¦password\"] = b'abc1'",
        "set(\"¦password\", \"abc1\")",
        "client.set¦Password(\"abc1\")",
        "<¦password>abc1</password>",
        "<¦password>\n    abc1\n</password>",
        "<add key=\"Mail¦Password\" value=\"abc1\"/>",
        "variable \"db_¦password\" {\n  default = \"abc1\"\n}",
        "- name: DB_¦PASSWORD\n  value: abc1",
        "{\"name\": \"DB_¦PASSWORD\", \"value\": \"abc1\"}",
        "login --¦password abc1 --force",
        "--db-¦password=abc1",
        "machine git.local login ada ¦password abc1",
        "credentials {\n  ¦password 'abc1'\n}",
        "the ¦password is \"abc1\".",
        "Server=db;¦Password=abc1;Encrypt=true",
        "https://host/?¦password=abc1&page=2",
        "process.env.¦PASSWORD || \"abc1\"",
        "¦password = String::from(\"abc1\");",
        "heroku ¦password of staging = abc1",
        "buildField 'String', '¦PASSWORD', '\"abc1\"'",
        "variable \"db_¦password\" {\n  description = \"Its password, for all.\"\n  type = string\n  default = \"abc1\"\n}",
        "{\"name\": \"DB_¦PASSWORD\", \"slotSetting\": false, \"value\": \"abc1\"}",
        "{\"Name\":\"/prod/db/¦password\",\"Type\":\"SecureString\",\"Value\":\"abc1\"}",
        "- name: DB_¦PASSWORD\n  scope: all\n  value: abc1",
        "DB¦Password:\n  Type: String\n  NoEcho: true\n  Default: abc1\n",
        "\"DB¦Password\": {\n  \"Type\": \"String\",\n  \"Default\": \"abc1\"\n}",
        "db_¦password: |\n  abc1\nuser: ada",
        "db_¦password: >-\n  abc1",
        "<key>db¦Password</key>\n<string>abc1</string>",
        "<name>db.¦password</name>\n  <value>abc1</value>",
        "let db_¦password: &str =\n    \"abc1\";",
    ];
    for text in written {
        assert_eq!(value(text).as_deref(), Some("abc1"), "{text:?}");
    }
}

#[test]
fn a_bare_value_in_a_sentence_or_a_table_is_no_word() {
    for (text, expected) in [
        ("the ¦password is Tr0ub4dor3, keep it", "Tr0ub4dor3"),
        ("the ¦token of staging was kR#wmQpz", "kR#wmQpz"),
        ("| db ¦password | Tr0ub4dor3 | prod |", "Tr0ub4dor3"),
        ("|¦password|Tr0ub4dor3|", "Tr0ub4dor3"),
        ("  | `¦password` | `abc1` |", "abc1"),
    ] {
        assert_eq!(value(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "the ¦password is abc1",
        "the ¦password is Argon2id",
        "the ¦password is SHA256-hashed",
        "the ¦password is required; it",
        "| ¦password | string2 |",
        "| ¦password |\n| Tr0ub4dor3 |",
        "echo $¦password | Tr0ub4dor3",
    ] {
        assert_eq!(value(text), None, "{text}");
    }
}

#[test]
fn what_is_no_assignment() {
    let others = [
        "the ¦password must be long",
        "¦password",
        "¦password = ",
        "¦password = readPassword(2)",
        "¦passwords[0]",
        "fn ¦password(&self) -> &str {",
        "¦password, user = read()",
        "postgres://user:<¦password>@host/db6",
        "--¦password --force",
        "¦pass 'it' on",
        "¦password:\n  min: 8",
        "test ¦password::start_again ... ok (17 us)",
        "¦password::Hash::new(1)",
        "if ¦password:\n    value = \"abc1\"",
        "¦passwords:\n  id: abc\n  x: abc1\n",
        "def check(self, ¦password):\n    default: str = \"abc1\"",
        "¦password:\nvalue: abc1",
        "¦password:\n  min: 8\n  max: 9\n  a: 1\n  b: 2\n  c: 3\n  value: abc1",
        "return ¦password\nage = 1\nvalue = \"abc1\"",
        "struct ¦Password {\n  length: 1,\n  value: \"abc1\"",
        "- name: DB_¦PASSWORD\n- name: x\n  value: abc1",
        "{\"name\": \"¦password\"}, {\"value\": \"abc1\"}",
        "¦password: |\n  These are words.",
        "¦password: | grep",
        "<key>¦password</key>\n<integer>abc1</integer>",
    ];
    for text in others {
        assert_eq!(value(text), None, "{text:?}");
    }
    // A record without a value is not read from where its reading ended.
    assert_eq!(value("\"¦passwords\": {\n  \"id\": \"abc\",\n  \"x\": abc1\n}").as_deref(), Some("{"));
}

#[test]
fn an_assignment_goes_on_in_the_next_line_of_a_listing() {
    let written = [
        "- name: DB_¦PASSWORD\n  value: abc1",
        "{\"name\": \"DB_¦PASSWORD\",\n \"value\": \"abc1\"}",
        "const db¦Password =\n  \"abc1\";",
        "<¦password>\n  abc1\n</password>",
        "db_¦password: |\n  abc1",
        "DB¦Password:\n  Type: String\n  Default: abc1\n",
    ];
    for text in written {
        for prefix in [
            "    #→",
            "    #\t",
            "#:",
            "#-",
            " # | ",
            "[#] ",
            "k8s/dev.yaml:#:",
            "k8s/dev.yaml-#-",
            "dev.yaml:",
            "+",
            "> ",
        ] {
            let lines = text.lines().zip(9..).map(|(line, number)| prefix.replace('#', &number.to_string()) + line);
            let text = lines.collect::<Vec<_>>().join("\n");
            assert_eq!(value(&text).as_deref(), Some("abc1"), "{text:?}");
        }
    }
    assert_eq!(value(" - name: DB_¦PASSWORD\n-  value: abc1").as_deref(), Some("abc1"));
    assert_eq!(value("- - name: DB_¦PASSWORD\n-   value: abc1"), None);
    assert_eq!(value("- name: DB_¦PASSWORD\n9:  value: abc1"), None);
}

/// A match as the engine shows it, of a text whose keyword begins at `¦`.
fn judged(text: &str, judge: fn(&Matched<'_>) -> bool) -> bool {
    let at = text.find('¦').unwrap();
    let text = text.replace('¦', "");
    let Read::Value(value) = read(&text.as_bytes()[..at], &text.as_bytes()[at..], true) else { return false };
    let secret = at + value.start..at + value.end;
    judge(&Matched::new(text.as_bytes(), &(at..secret.end), &secret))
}

#[test]
fn chosen_passwords() {
    for text in ["¦password = \"hunter2!x\"", "DB_¦PASSWORD=Tr0ub4dor3", "¦pwd: 'Zx9!k2'", "--¦password S3cr3tPw"] {
        assert!(judged(text, is_password), "{text}");
    }
    let others = [
        "¦password = \"changeme1\"",
        "¦password = \"${PASSWORD}\"",
        "¦password_hash = \"hunter2!x\"",
        "¦password = user.password2",
        "¦password = \"/etc/secret2\"",
        "by¦pass = \"hunter2!x\"",
        "¦password = \"#login-form\"",
        "¦password = \"12345678\"",
        ".icon-¦password:hover{color:red}",
        "if vault_¦pass_1 != vault_pass_2:",
        "¦PASS: ld-elf/pr21562b",
        "\"config-¦password\": \"Lozinka:\"",
        "esxi1_¦password: @ESXI1_PASSWORD",
    ];
    for text in others {
        assert!(!judged(text, is_password), "{text}");
    }
}

#[test]
fn words_as_passwords() {
    assert!(judged("¦password = \"correcthorse\"", is_weak_password));
    for text in [
        "¦password = \"required\"",
        "¦password = \"Passwort\"",
        "¦password = \"abc\"",
        "¦passwordLabel = \"secretword\"",
    ] {
        assert!(!judged(text, is_weak_password), "{text}");
    }
}

#[test]
fn made_keys() {
    for text in [
        "api_¦key = \"3AzLEQ4nWqCi2svIuhIl\"",
        "¦token=8bc4c78a9de8455c334b2b5e52b07447",
        "jwt_¦secret = 'my$uper#ecret9'",
        "Here is my API ¦key: 3AzLEQ4nWqCi2svIuhIl",
        "\"API ¦Key\",\"3AzLEQ4nWqCi2svIuhIl\"",
    ] {
        assert!(judged(text, is_random_key), "{text}");
    }
    let others = [
        "¦token = \"next_page_token_2\"",
        "¦token = \"abcdefghijklmnop1234\"",
        "cache_¦key = \"3AzLEQ4nWqCi2svIuhIl\"",
        "¦token = \"tokenizer.model.v3\"",
        "¦key = \"3AzLEQ4nWqCi2svIuhIl\"",
        "¦token_type = \"3AzLEQ4nWqCi2svIuhIl\"",
        "slack_¦token = \"xoxb-3AzLEQ4nWqCi2svIuhIl\"",
        "\"Client¦Token\": \"1b4e28ba-2fa1-41d2-883f-0016d3cca427\"",
        "¦secret := corev1.Secret{ObjectMeta: m}",
        "client_¦secret:t.client_secret2??null",
        "get_¦secret_str(\"AZURE_OPENAI_API_KEY\")",
    ];
    for text in others {
        assert!(!judged(text, is_random_key), "{text}");
    }
}

proptest! {
    /// Whatever is read: no panic, ranges within the text, and a decision that more text does not change.
    #[test]
    fn more_text_changes_no_decision(before in "[ -~]{0,20}", text in "[ -~\n]{0,120}", cut in 0usize..120) {
        let whole = read(before.as_bytes(), text.as_bytes(), true);
        let cut = cut.min(text.len());
        match read(before.as_bytes(), &text.as_bytes()[..cut], false) {
            Read::More => {}
            Read::No(_) => prop_assert!(matches!(whole, Read::No(_))),
            Read::Value(range) => prop_assert_eq!(whole, Read::Value(range)),
        }
    }
}

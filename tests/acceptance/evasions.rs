//! Ways to write a key so that a careless reader misses it. None may reach the provider in clear.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::client::{
    BLOCKING, CHAT, LABEL, MESSAGES, REDACTING, RESPONSES, blocks, forwarded, hides_as, key, never_arrives, post,
    prompt, send,
};

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn unicode(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04x}")).collect()
}

fn wide(text: &str) -> String {
    text.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect()
}

/// The joined text of all blocks: what the model reads.
fn read_by_the_model(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap();
    crate::client::leaves(&document).into_iter().filter(|it| it != "text" && it != "type").collect()
}

#[test]
fn split_over_blocks_at_every_place() {
    let key = key();
    for cut in 1..key.len() {
        let body = blocks(&[&format!("the id is {}", &key[..cut]), &format!("{} there", &key[cut..])]);
        let run = send(&post(REDACTING, MESSAGES, body));
        let expected = blocks(&[&format!("the id is {LABEL}"), " there"]);
        assert_eq!(forwarded(&run).map(String::from_utf8_lossy).as_deref(), Some(expected.as_str()), "cut at {cut}");
    }
}

#[test]
fn one_character_a_block() {
    let key = key();
    let letters: Vec<&str> = key.split("").filter(|it| !it.is_empty()).collect();
    let run = send(&post(REDACTING, MESSAGES, blocks(&letters)));
    let mut expected = vec![""; letters.len()];
    expected[0] = LABEL;
    assert_eq!(forwarded(&run), Some(blocks(&expected).as_bytes()));
    let with_gaps: Vec<&str> = letters.iter().flat_map(|it| [*it, ""]).collect();
    let run = send(&post(REDACTING, MESSAGES, blocks(&with_gaps)));
    assert!(!read_by_the_model(forwarded(&run).unwrap()).contains(&key));
    assert!(send(&post(BLOCKING, MESSAGES, blocks(&letters))).forwarded.is_none());
}

#[test]
fn split_over_the_parts_of_other_dialects() {
    let key = key();
    let (left, right) = key.split_at(9);
    for (path, template) in [
        (
            CHAT,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a §"},{"type":"text","text":"¤ b"}]}]}"#,
        ),
        (
            RESPONSES,
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a §"},{"type":"input_text","text":"¤ b"}]}]}"#,
        ),
        (
            RESPONSES,
            r#"{"input":[{"type":"function_call_output","output":[{"type":"input_text","text":"a §"},{"type":"input_text","text":"¤ b"}]}]}"#,
        ),
        (
            MESSAGES,
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"a §"},{"type":"text","text":"¤ b"}]}]}]}"#,
        ),
        (MESSAGES, r#"{"messages":[{"role":"user","content":"a §"},{"role":"user","content":"¤ b"}]}"#),
        (MESSAGES, r#"{"system":[{"type":"text","text":"a §"},{"type":"text","text":"¤ b"}]}"#),
        (
            MESSAGES,
            r#"{"messages":[{"content":[{"text":"a §","type":"text"},{"text":"¤ b","type":"text"}],"role":"user"}]}"#,
        ),
        (
            MESSAGES,
            r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a §"},{"type":"text","text":"¤ b"}]}}]}]}"#,
        ),
        ("/v1/completions", r#"{"prompt":["a §","¤ b"]}"#),
        (
            "/v1/messages/batches",
            r#"{"requests":[{"params":{"messages":[{"role":"user","content":[{"type":"text","text":"a §"},{"type":"text","text":"¤ b"}]}]}}]}"#,
        ),
    ] {
        let body = template.replace('§', left).replace('¤', right);
        let run = send(&post(REDACTING, path, body.clone()));
        let expected = template.replace('§', LABEL).replace('¤', "");
        assert_eq!(forwarded(&run).map(String::from_utf8_lossy).as_deref(), Some(expected.as_str()), "{path} {body}");
    }
}

#[test]
fn a_key_split_over_blocks_and_whole_beside_them() {
    let key = key();
    let run = send(&post(REDACTING, MESSAGES, blocks(&[&format!("{key} {}", &key[..7]), &key[7..], &key])));
    let sent = read_by_the_model(forwarded(&run).unwrap());
    assert!(!sent.contains(&key) && sent.matches("[REDACTED:AWS").count() >= 2, "{sent}");
}

#[test]
fn encoded_in_base64_hex_and_percent() {
    let key = key();
    let long = format!("aws_access_key_id = {key}\nregion = eu-west-1\n");
    let percent_part = format!("{}{}", &key[..6], percent(&key[6..]));
    for encoded in [
        STANDARD_NO_PAD.encode(&key),
        STANDARD_NO_PAD.encode(&long),
        URL_SAFE_NO_PAD.encode(&long),
        STANDARD_NO_PAD.encode(format!("x{long}")),
        STANDARD_NO_PAD.encode(format!("xy{long}")),
        hex(&key),
        hex(&long),
        hex(&key).to_uppercase(),
        percent(&key),
        percent_part,
    ] {
        let template = r#"{"messages":[{"role":"user","content":"decode § please"}]}"#;
        hides_as(MESSAGES, template, &encoded, LABEL);
    }
    for text in [format!("echo {} | base64 -d", STANDARD.encode(&long)), format!("0x{}", hex(&key))] {
        never_arrives(MESSAGES, &prompt(&text), &STANDARD_NO_PAD.encode(&long));
    }
}

#[test]
fn encoded_twice_in_json() {
    let key = key();
    let once = unicode(&key);
    for template in [
        r#"{"messages":[{"role":"user","content":"id §"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"§"}]}]}"#,
    ] {
        hides_as(MESSAGES, template, &once, LABEL);
    }
    // In arguments: a document in a string, with the escapes of either level.
    let arguments = r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":\"id §\"}"}}]}]}"#;
    hides_as(CHAT, arguments, &once, LABEL);
    hides_as(CHAT, arguments, &once.replace('\\', "\\\\"), LABEL);
    // A document in a string in a document in a string.
    let inner = format!(r#"{{"b":"{once}"}}"#);
    let middle = format!(r#"{{"a":{}}}"#, serde_json::to_string(&inner).unwrap());
    never_arrives(MESSAGES, &prompt(&middle), &once);
    // Escapes in text that is no document: source code, a cut-off document.
    for text in [format!("const id = \"{once}\";"), format!("{{\"id\": \"{once}\"")] {
        never_arrives(MESSAGES, &prompt(&text), &once);
    }
    let hexed: String = key.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    never_arrives(MESSAGES, &prompt(&format!("id = b'{hexed}'")), &hexed);
}

#[test]
fn hidden_between_invisible_characters_and_behind_other_forms() {
    let key = key();
    for invisible in [
        "\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{180e}", "\u{fe0f}", "\u{2063}",
        "\u{34f}", "\u{61c}", "\u{202e}", "\u{2066}",
    ] {
        let woven: String = key.chars().map(|c| format!("{c}{invisible}")).collect();
        let woven = woven.trim_end_matches(invisible).to_owned();
        hides_as(MESSAGES, r#"{"messages":[{"role":"user","content":"id § x"}]}"#, &woven, LABEL);
        let once = format!("{}{invisible}{}", &key[..2], &key[2..]);
        hides_as(MESSAGES, r#"{"messages":[{"role":"user","content":"id § x"}]}"#, &once, LABEL);
    }
    hides_as(MESSAGES, r#"{"messages":[{"role":"user","content":"id § x"}]}"#, &wide(&key), LABEL);
    let tags: String = key.chars().map(|c| char::from_u32(c as u32 + 0xE0000).unwrap()).collect();
    hides_as(MESSAGES, r#"{"messages":[{"role":"user","content":"id § x"}]}"#, &tags, LABEL);
}

#[test]
fn put_together_from_pieces_of_source_code() {
    let key = key();
    let (left, right) = key.split_at(4);
    for joint in [
        "\"+\"",
        "\" + \"",
        "' + '",
        "'+'",
        "\" +\n    \"",
        "\"\n  + \"",
        "\" . \"",
        "\" & \"",
        "\" .. \"",
        "\" \"",
        "\"\n    \"",
        "\" \\\n    \"",
        "\" <> \"",
        "\" ++ \"",
        "` + `",
    ] {
        let quote = &joint[..1];
        let text = format!("client = connect(id={quote}{left}{joint}{right}{quote})");
        let run = send(&post(REDACTING, MESSAGES, prompt(&text)));
        let expected = prompt(&format!("client = connect(id={quote}{LABEL}{quote})"));
        assert_eq!(forwarded(&run).map(String::from_utf8_lossy).as_deref(), Some(expected.as_str()), "{joint:?}");
    }
    let letters: Vec<String> = key.chars().map(|c| format!("\"{c}\"")).collect();
    never_arrives(MESSAGES, &prompt(&letters.join(" + ")), &letters.join(" + "));
}

#[test]
fn broken_by_a_line_continuation() {
    let key = key();
    for joint in ["\\\n", "\\\r\n"] {
        let text = format!("export ID={}{joint}{}", &key[..8], &key[8..]);
        never_arrives(MESSAGES, &prompt(&text), &text);
    }
}

#[test]
fn wrapped_base64_is_one_text() {
    let long =
        format!("{}aws_access_key_id = {}\n{}", "# all sorts of settings\n".repeat(6), key(), "region = x\n".repeat(9));
    let encoded = STANDARD.encode(&long);
    for (width, end) in [(64, "\n"), (76, "\r\n"), (60, "\n")] {
        let lines: Vec<&str> = encoded.as_bytes().chunks(width).map(|it| std::str::from_utf8(it).unwrap()).collect();
        never_arrives(MESSAGES, &prompt(&format!("see\n{}\nthere", lines.join(end))), lines[3]);
    }
}

#[test]
fn in_a_picture_that_is_none() {
    let key = key();
    let encoded = STANDARD.encode(format!("aws_access_key_id = {key}\n"));
    for data in [encoded.clone(), format!("data:image/png;base64,{encoded}"), format!("iVBORw0KGgo {key}")] {
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}]}}]}}"#
        );
        never_arrives(MESSAGES, &body, &data);
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{data}"}}}}]}}]}}"#
        );
        never_arrives(CHAT, &body, &data);
    }
    // A data URL of text, as plain text.
    let url = format!("data:text/plain;base64,{encoded}");
    never_arrives(MESSAGES, &prompt(&url), encoded.trim_end_matches('='));
}

#[test]
fn as_an_encrypted_or_signed_text_that_is_none() {
    let encoded = STANDARD_NO_PAD.encode(format!("aws_access_key_id = {} ", key()));
    for data in [key(), format!("id {}", key())] {
        let body = format!(r#"{{"input":[{{"type":"reasoning","encrypted_content":"{data}"}}]}}"#);
        never_arrives(RESPONSES, &body, &key());
        let body = format!(
            r#"{{"messages":[{{"role":"assistant","content":[{{"type":"redacted_thinking","data":"{data}"}}]}}]}}"#
        );
        never_arrives(MESSAGES, &body, &key());
    }
    // Base64 that reads as text is not encrypted.
    let body = format!(r#"{{"input":[{{"type":"reasoning","encrypted_content":"{encoded}"}}]}}"#);
    never_arrives(RESPONSES, &body, &encoded);
}

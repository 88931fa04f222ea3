//! Paths, queries and content encodings.

use std::io::Write;

use airiskguard_gateway::providers::RefusalKind;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::client::{LABEL, MESSAGES, REDACTING, forwarded, key, post, prompt, refusal, send, with_header};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// One stored block: window of 64 KiB, not the last, four nibbles of length, uncompressed; then an empty last one.
fn brotli(text: &[u8]) -> Vec<u8> {
    let header = (text.len() as u32 - 1) << 4 | 1 << 20;
    [&header.to_le_bytes()[..3], text, &[3]].concat()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 3).unwrap()
}

fn encodings(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip(text)),
        ("x-gzip", gzip(text)),
        ("GZip", gzip(text)),
        ("deflate", zlib(text)),
        ("deflate", raw_deflate(text)),
        ("br", brotli(text)),
        ("zstd", zstd(text)),
        ("gzip, zstd", zstd(&gzip(text))),
    ]
}

#[test]
fn a_clean_encoded_body_goes_on_byte_for_byte_with_its_encoding() {
    for (name, body) in encodings(prompt("write a function that adds two numbers").as_bytes()) {
        let run = send(&with_header(post(REDACTING, MESSAGES, body.clone()), "content-encoding", name));
        let forward = run.forwarded.as_ref().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(forward.body, body, "{name}");
        assert!(!forward.remove_headers.iter().any(|it| it == "content-encoding"), "{name}");
    }
}

#[test]
fn a_key_in_an_encoded_body_is_hidden_and_the_body_goes_on_decoded() {
    for (name, body) in encodings(prompt(&format!("id {} here", key())).as_bytes()) {
        let run = send(&with_header(post(REDACTING, MESSAGES, body), "content-encoding", name));
        let forward = run.forwarded.as_ref().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(String::from_utf8_lossy(&forward.body), prompt(&format!("id {LABEL} here")), "{name}");
        assert!(forward.remove_headers.iter().any(|it| it == "content-encoding"), "{name}");
    }
}

#[test]
fn an_encoding_in_two_headers_is_undone_in_order() {
    let script = post(REDACTING, MESSAGES, zstd(&gzip(prompt(&key()).as_bytes())));
    let script = with_header(with_header(script, "content-encoding", "gzip"), "content-encoding", "zstd");
    assert_eq!(forwarded(&send(&script)), Some(prompt(LABEL).as_bytes()));
}

#[test]
fn what_cannot_be_decoded_is_refused_and_never_passed_unread() {
    let clean = prompt("hello");
    let gzipped = gzip(clean.as_bytes());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("compress", clean.clone().into_bytes()),
        ("aes128gcm", clean.clone().into_bytes()),
        ("gzip", clean.clone().into_bytes()),
        ("gzip", gzipped[..gzipped.len() - 4].to_vec()),
        ("gzip", [&gzipped[..], b"tail"].concat()),
        ("identity", gzipped.clone()),
        ("br", clean.clone().into_bytes()),
        ("gzip,gzip,gzip,gzip,gzip,gzip", gzipped.clone()),
    ];
    for (name, body) in cases {
        let run = send(&with_header(post(REDACTING, MESSAGES, body), "content-encoding", name));
        assert_eq!(refusal(&run), Some(RefusalKind::BadRequest), "{name}");
    }
    // Encoded without saying so is no JSON.
    assert_eq!(refusal(&send(&post(REDACTING, MESSAGES, gzipped))), Some(RefusalKind::BadRequest));
}

#[test]
fn a_bomb_is_refused() {
    let bomb = prompt(&"a".repeat(8 << 20));
    for (name, body) in [("gzip", gzip(bomb.as_bytes())), ("zstd", zstd(bomb.as_bytes()))] {
        let run = crate::support::run(&with_header(post(REDACTING, MESSAGES, body), "content-encoding", name), 0);
        assert_eq!(refusal(&run), Some(RefusalKind::TooLarge), "{name}");
    }
}

#[test]
fn query_and_path_arrive_as_the_provider_spells_them() {
    let cases = [
        ("/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/v1/messages", "/v1/messages"),
        ("/messages", "/v1/messages"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/anthropic/v1/messages?a=1&a=2", "/v1/messages?a=1&a=2"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/v1/v1/responses", "/v1/responses"),
        ("/v1/responses", "/v1/responses"),
        ("/v1/embeddings", "/v1/embeddings"),
        (
            "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
            "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21",
        ),
        ("/azure/openai/v1/responses?api-version=preview", "/openai/v1/responses?api-version=preview"),
    ];
    for (asked, expected) in cases {
        let run = send(&post(REDACTING, asked, r#"{"model":"m"}"#));
        let forward = run.forwarded.as_ref().unwrap_or_else(|| panic!("{asked}"));
        assert_eq!(forward.path_and_query, expected, "{asked}");
    }
}

#[test]
fn a_base_url_with_a_path_is_kept_and_its_version_not_doubled() {
    for (url, expected) in [
        ("https://proxy.example.com/ai", "/ai/v1/messages?beta=true"),
        ("https://proxy.example.com/ai/v1", "/ai/v1/messages?beta=true"),
        ("https://proxy.example.com/ai/v1/", "/ai/v1/messages?beta=true"),
    ] {
        let run = send(&post(&format!("upstream: {{anthropic: '{url}'}}"), MESSAGES, prompt("hi")));
        assert_eq!(run.forwarded.as_ref().unwrap().path_and_query, expected);
    }
}

#[test]
fn model_lists_are_told_apart_by_the_version_header() {
    for (header, name) in [(Some("anthropic-version"), "anthropic"), (None, "openai"), (Some("api-key"), "azure")] {
        let mut script = post(REDACTING, "/v1/models?limit=5", "");
        script.method = "GET".into();
        if let Some(header) = header {
            script.headers.push((header.into(), "2023-06-01".into()));
        }
        let run = send(&script);
        let forward = run.forwarded.as_ref().unwrap();
        assert_eq!(forward.upstream.name, name);
        assert!(forward.path_and_query.ends_with("?limit=5"));
    }
}

#[test]
fn paths_that_could_mean_something_else_are_refused() {
    for path in
        ["/v1/files", "/v1/messages/../files", "/v1//messages", "/v1/messages%2fbatches", "/", "/v1/audio/speech"]
    {
        assert_eq!(refusal(&send(&post(REDACTING, path, prompt("hi")))), Some(RefusalKind::UnknownPath), "{path}");
    }
}

#[test]
fn a_key_in_query_or_path_does_not_leave() {
    let run = send(&post(REDACTING, &format!("/v1/messages?note={}", key()), prompt("hi")));
    assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked));
    let mut script = post(REDACTING, &format!("/v1/responses/{}", key()), "");
    script.method = "GET".into();
    assert_eq!(refusal(&send(&script)), Some(RefusalKind::PolicyBlocked));
}

#[test]
fn session_and_unknown_headers_are_none_of_our_business() {
    let script = with_header(post(REDACTING, MESSAGES, prompt("hi")), "anthropic-beta", "a,b");
    let run = send(&with_header(script, "x-stainless-lang", "js"));
    assert!(
        run.forwarded.unwrap().remove_headers.iter().all(|it| !it.starts_with("anthropic") && !it.starts_with("x-s"))
    );
}

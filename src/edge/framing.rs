//! What the edge refuses by the shape of a request's head alone: smuggling shapes, oversize, upgrades.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, Method, Version, header};
use pingora_http::RequestHeader;

use crate::pipeline::RefusalKind;

/// Length of the key that an upgrade to a WebSocket brings, decoded.
const SOCKET_KEY_BYTES: usize = 16;
/// Most fields that `Connection` may name: with more, Pingora forwards nothing.
const CONNECTION_OPTIONS_MAX: usize = 9;
/// What `Connection` may not have dropped on the way: the same.
const KEPT: [&str; 4] = ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// Why a head is refused, before anything is read of its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) kind: RefusalKind,
    pub(super) message: String,
}

/// The first objection to this head, if there is any. `raw` is the head as it stood on the wire of HTTP/1.1, empty for
/// HTTP/2: Pingora has already dropped a length that stood beside a transfer encoding.
/// `header_bytes_max` bounds method, target and fields together.
pub(super) fn objection(head: &RequestHeader, raw: &[u8], header_bytes_max: u64) -> Option<Objection> {
    let bytes = head_bytes(head);
    if bytes > header_bytes_max {
        let message = format!("the request head has {bytes} bytes; at most {header_bytes_max} are allowed");
        return Some(Objection { kind: RefusalKind::TooLarge, message });
    }
    if let Some(message) = bad_framing(head, raw) {
        return Some(Objection { kind: RefusalKind::BadRequest, message: message.to_owned() });
    }
    if wants_upgrade(&head.headers) && !asks_for_socket(head) {
        let message = "this protocol upgrade is not inspected and therefore not passed on; use plain HTTP requests";
        return Some(Objection { kind: RefusalKind::UpgradeRefused, message: message.to_owned() });
    }
    None
}

/// Whether this is a well-formed upgrade to a WebSocket (RFC 6455, 4.2.1), which the Responses API is also spoken over.
pub(super) fn asks_for_socket(head: &RequestHeader) -> bool {
    let only = |name: &str| {
        let mut values = head.headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|it| it.to_str().ok()).map(str::trim)
    };
    let upgrades = connection_options(&head.headers).any(|it| it == "upgrade");
    let key = only("sec-websocket-key").and_then(|it| BASE64.decode(it).ok());
    let has_body = head.headers.contains_key(header::TRANSFER_ENCODING)
        || declared_bytes(&head.headers).is_some_and(|bytes| bytes > 0);
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && upgrades
        && only("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket"))
        && only("sec-websocket-version") == Some("13")
        && key.is_some_and(|it| it.len() == SOCKET_KEY_BYTES)
        && !has_body
}

/// Length of the body as declared; `None` if undeclared. Only for heads without objection.
pub(super) fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the client waits for a go-ahead before it sends the body.
pub(super) fn expects_continue(head: &RequestHeader) -> bool {
    head.version == Version::HTTP_11
        && head.headers.get(header::EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Bytes as they stood on the wire of HTTP/1.1, separators included.
fn head_bytes(head: &RequestHeader) -> u64 {
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (head.method.as_str().len() + head.raw_path().len() + fields) as u64
}

/// Two readers must never disagree where a request ends or whom it is for; every shape where they could is refused.
fn bad_framing(head: &RequestHeader, raw: &[u8]) -> Option<&'static str> {
    let headers = &head.headers;
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count().max(fields_named(raw, b"content-length"));
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let (encoding, more_encodings) = (encodings.next(), encodings.next().is_some());
    if lengths > 1 {
        return Some("more than one Content-Length");
    }
    match encoding {
        Some(_) if head.version != Version::HTTP_11 => return Some("Transfer-Encoding outside HTTP/1.1"),
        Some(_) if lengths > 0 => return Some("both Content-Length and Transfer-Encoding"),
        None if lengths == 1 && declared_bytes(headers).is_none() => return Some("a Content-Length that is no number"),
        Some(_) if more_encodings => return Some("more than one Transfer-Encoding"),
        Some(it) if !it.as_bytes().eq_ignore_ascii_case(b"chunked") => return Some("an unknown Transfer-Encoding"),
        _ => {}
    }
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Some("more than one Host");
    }
    if head.version == Version::HTTP_11 && !headers.contains_key(header::HOST) {
        return Some("no Host");
    }
    let is_one = |it: &String| !KEPT.contains(&it.as_str()) && HeaderName::from_bytes(it.as_bytes()).is_ok();
    let options: Vec<String> = connection_options(headers).collect();
    if options.len() > CONNECTION_OPTIONS_MAX || !options.iter().all(is_one) {
        return Some("a Connection that names Host, X-Forwarded-For, what is no header, or too much");
    }
    None
}

/// What `Connection` names, lower case.
fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(header::CONNECTION).iter().map(|it| String::from_utf8_lossy(it.as_bytes()));
    let options = values.flat_map(|it| it.split(',').map(|it| it.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    options.filter(|it| !it.is_empty())
}

/// Whether the client expects the connection to stay open behind the answer: HTTP/1.0 has to ask for that.
pub(super) fn keeps_alive(head: &RequestHeader) -> bool {
    head.version != Version::HTTP_10 || connection_options(&head.headers).any(|it| it == "keep-alive")
}

/// How many fields of a raw head have this lower-case name.
fn fields_named(raw: &[u8], name: &[u8]) -> usize {
    let lines = raw.split(|byte| *byte == b'\n').skip(1);
    let names = lines.filter_map(|line| line.split(|byte| *byte == b':').next());
    names.filter(|it| it.trim_ascii().eq_ignore_ascii_case(name)).count()
}

/// An upgrade to HTTP/2 may be ignored (RFC 9113, 3.1) and some clients always offer it; all others are asked for.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    let mut wanted = headers.get_all(header::UPGRADE).iter();
    wanted.any(|it| !it.as_bytes().eq_ignore_ascii_case(b"h2c"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut head = RequestHeader::build("POST", b"/v1/messages", None).unwrap();
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    fn kind(fields: &[(&'static str, &'static str)]) -> Option<RefusalKind> {
        objection(&head(fields), b"", 1000).map(|it| it.kind)
    }

    #[test]
    fn ordinary_heads_pass() {
        assert_eq!(kind(&[("host", "a"), ("content-length", "3")]), None);
        assert_eq!(kind(&[("host", "a"), ("transfer-encoding", "chunked")]), None);
        assert_eq!(kind(&[("host", "a"), ("upgrade", "h2c")]), None);
    }

    #[test]
    fn smuggling_shapes_are_refused() {
        for fields in [
            &[("host", "a"), ("content-length", "3"), ("transfer-encoding", "chunked")][..],
            &[("host", "a"), ("content-length", "3"), ("content-length", "3")],
            &[("host", "a"), ("content-length", "3, 3")],
            &[("host", "a"), ("content-length", "-1")],
            &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
            &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("host", "a"), ("host", "b")],
            &[("content-length", "3")],
            &[("host", "a"), ("connection", "close, Host")],
            &[("host", "a"), ("connection", "two words")],
            &[("host", "a"), ("connection", "keep-alive, X-Forwarded-For")],
            &[("host", "a"), ("connection", "a, b, c, d, e"), ("connection", "f, g, h, i, j")],
        ] {
            assert_eq!(kind(fields), Some(RefusalKind::BadRequest), "{fields:?}");
        }
        let mut two = head(&[("host", "a"), ("transfer-encoding", "chunked")]);
        two.set_version(Version::HTTP_2);
        assert_eq!(objection(&two, b"", 1000).unwrap().kind, RefusalKind::BadRequest);
    }

    #[test]
    fn only_who_asks_for_it_keeps_a_connection_of_http_1_0() {
        let keeps = |version, fields: &[(&'static str, &'static str)]| {
            let mut head = head(fields);
            head.set_version(version);
            keeps_alive(&head)
        };
        assert!(keeps(Version::HTTP_11, &[]) && keeps(Version::HTTP_2, &[]));
        assert!(!keeps(Version::HTTP_10, &[]) && keeps(Version::HTTP_10, &[("connection", "Keep-Alive")]));
    }

    #[test]
    fn a_length_that_was_dropped_is_still_seen() {
        let head = head(&[("host", "a"), ("transfer-encoding", "chunked")]);
        let raw = b"POST / HTTP/1.1\r\nhost: a\r\nContent-Length : 5\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(objection(&head, raw, 1000).unwrap().kind, RefusalKind::BadRequest);
    }

    #[test]
    fn only_a_whole_upgrade_to_a_socket_is_looked_at_further() {
        let fields = [
            ("host", "a"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ];
        let upgrade = |fields: &[(&'static str, &'static str)]| {
            let mut head = head(fields);
            head.set_method(Method::GET);
            (asks_for_socket(&head), objection(&head, b"", 1000).map(|it| it.kind))
        };
        assert_eq!(upgrade(&fields), (true, None));
        assert_eq!(kind(&fields), Some(RefusalKind::UpgradeRefused), "not by POST");
        for missing in 1..fields.len() {
            let mut fields = fields.to_vec();
            fields.remove(missing);
            assert!(!upgrade(&fields).0, "{missing}");
        }
        for more in
            [("upgrade", "h2c"), ("sec-websocket-key", "x"), ("content-length", "5"), ("transfer-encoding", "chunked")]
        {
            assert_eq!(
                upgrade(&[&fields[..], &[more]].concat()),
                (false, Some(RefusalKind::UpgradeRefused)),
                "{more:?}"
            );
        }
    }

    #[test]
    fn upgrades_and_giants_are_refused() {
        assert_eq!(kind(&[("host", "a"), ("upgrade", "websocket")]), Some(RefusalKind::UpgradeRefused));
        assert_eq!(
            objection(&head(&[("host", "a"), ("x-much", "0123456789")]), b"", 20).unwrap().kind,
            RefusalKind::TooLarge
        );
    }
}

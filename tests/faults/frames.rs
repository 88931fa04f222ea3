//! Frames of HTTP/2, written by hand: what no library would write.

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
/// Of SETTINGS.
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a client begins with, and these settings.
pub fn preface(settings: &[(u16, u32)]) -> Vec<u8> {
    let pairs = settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let payload: Vec<u8> = pairs.collect();
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &payload)].concat()
}

/// Header fields without a table and without Huffman's code.
pub fn fields(all: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in all {
        out.push(0);
        text(name, &mut out);
        text(value, &mut out);
    }
    out
}

fn text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.len();
    if rest < 127 {
        out.push(rest as u8);
    } else {
        out.push(127);
        rest -= 127;
        while rest >= 128 {
            out.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        out.push(rest as u8);
    }
    out.extend_from_slice(text.as_bytes());
}

/// The head of a request for a completion.
pub fn head(more: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", "POST"), (":scheme", "http"), (":path", "/v1/messages"), (":authority", "g")];
    fields(&[&first[..], more].concat())
}

/// A whole request on a stream.
pub fn request(stream: u32, body: &str) -> Vec<u8> {
    let data: Vec<u8> = match body.as_bytes().chunks(16_000).collect::<Vec<_>>().split_last() {
        None => Vec::new(),
        Some((last, others)) => {
            let others = others.iter().flat_map(|it| frame(DATA, 0, stream, it));
            others.chain(frame(DATA, END_STREAM, stream, last)).collect()
        }
    };
    [frame(HEADERS, END_HEADERS, stream, &head(&[])), data].concat()
}

//! Syslog messages of RFC 5424, and how a stream of them is divided.

use std::fmt::Write;

use crate::config::{Facility, SiemFraming};

use super::Message;
use super::encode::timestamp;

/// Name of our structured data. 32473 is the enterprise number that RFC 5612 reserves for documentation.
const DATA: &str = "airiskguard@32473";
const APPLICATION: &str = "airiskguard-gateway";
/// Most characters of a host name.
const HOST_CHARS_MAX: usize = 255;
/// Most characters of a message id.
const MESSAGE_ID_CHARS_MAX: usize = 32;
/// Most characters of one value of the structured data: ids and names, all of them short.
const VALUE_CHARS_MAX: usize = 128;

/// A whole message of at most so many bytes; what is too long is cut at a character.
pub(super) fn message(facility: Facility, message: &Message, bytes_max: usize) -> String {
    let priority = facility.number() * 8 + message.level.syslog();
    let time = timestamp(message.written_ms);
    let host = name(&message.gateway, HOST_CHARS_MAX);
    let id = name(message.kind, MESSAGE_ID_CHARS_MAX);
    let mut text = format!("<{priority}>1 {time} {host} {APPLICATION} - {id} [{DATA}");
    let sequence = message.sequence.to_string();
    let values =
        [("gateway", &message.gateway[..]), ("sequence", &sequence), ("id", &message.id), ("hash", &message.hash)];
    for (name, value) in values {
        // Writing to a String cannot fail.
        let _ = write!(text, " {name}=\"{}\"", quoted(value));
    }
    text.push_str("] ");
    // ASCII is UTF-8 with and without the mark, and some receivers look for `CEF:` at the very beginning.
    if !message.text.is_ascii() {
        text.push('\u{feff}');
    }
    text.push_str(&message.text);
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// The message as a part of a stream.
pub(super) fn framed(framing: SiemFraming, text: &str) -> String {
    match framing {
        SiemFraming::OctetCounting => format!("{} {text}", text.len()),
        // No encoder writes a line break; the frame holds for whatever comes.
        _ => text.replace(['\n', '\r'], " ") + "\n",
    }
}

/// Visible ASCII; `-` for nothing.
fn name(text: &str, chars_max: usize) -> String {
    let printable = |it: char| if it.is_ascii_graphic() { it } else { '_' };
    match text {
        "" => "-".to_owned(),
        text => text.chars().take(chars_max).map(printable).collect(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars().take(VALUE_CHARS_MAX) {
        match it {
            '"' | '\\' | ']' => out.extend(['\\', it]),
            it if it.is_control() => out.push(' '),
            it => out.push(it),
        }
    }
    out
}

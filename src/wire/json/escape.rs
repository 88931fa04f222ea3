//! Text written as the content of a JSON string.

/// Appends `text` as it stands between the quotes of a string that is `levels` strings deep: 1 for a string of a
/// document, 2 for a string of a document inside a string.
pub fn escape(text: &str, levels: usize, out: &mut Vec<u8>) {
    match levels {
        0 => out.extend_from_slice(text.as_bytes()),
        1 => escape_once(text.as_bytes(), out),
        _ => {
            let mut once = Vec::with_capacity(text.len());
            escape_once(text.as_bytes(), &mut once);
            for _ in 2..levels {
                let mut again = Vec::with_capacity(once.len());
                escape_once(&once, &mut again);
                once = again;
            }
            escape_once(&once, out);
        }
    }
}

fn escape_once(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x8 => out.extend_from_slice(b"\\b"),
            0xc => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

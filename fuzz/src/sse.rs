//! Event streams: the same frames in every cutting, no byte lost, what a plain reader of the standard sees, and edits.

use airiskguard_gateway::wire::sse::{Frame, Parser};

use super::dice::{Choices, Dice};

/// What one event told: its name, if it has one, and its data.
type Told = (Option<String>, Vec<u8>);

/// Data that an edit puts in.
const EDITS: [&[u8]; 6] = [b"", b"x", b"{\"a\":1}", b" a", b"a\nb", b"\r\n:"];

/// A byte chooses the limit, two the cuts, the others are the stream.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let frame_bytes_max = choices.one_of(&[1 << 20, 1 << 20, 1 << 20, 16]);
    let mut dice = Dice::new(choices.number());
    let raw = choices.0;
    let whole = read(&[raw], frame_bytes_max);
    let bytes: Vec<&[u8]> = raw.chunks(1).collect();
    for pieces in [bytes, dice.cut(raw)] {
        assert_eq!(read(&pieces, frame_bytes_max), whole, "another cutting, other frames");
    }
    let Some((frames, tail)) = whole else {
        assert!(raw.len() > frame_bytes_max, "too large for the limit, and smaller than it");
        return;
    };
    let together: Vec<u8> = frames.iter().flat_map(|it| it.raw().iter().copied()).chain(tail).collect();
    assert_eq!(together, raw, "a byte was lost");
    assert_eq!(told(&frames), oracle(raw), "other events than the standard's");
    for (index, frame) in frames.iter().enumerate() {
        edited(frame, index == 0, EDITS[dice.roll(EDITS.len())]);
    }
}

/// The frames and the tail; nothing where a frame is too large.
fn read(pieces: &[&[u8]], frame_bytes_max: usize) -> Option<(Vec<Frame>, Vec<u8>)> {
    let mut parser = Parser::new(frame_bytes_max);
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece).ok()?;
        frames.extend(parser.by_ref());
    }
    while let Some(frame) = parser.finish() {
        frames.push(frame);
    }
    Some((frames, parser.tail().to_vec()))
}

fn told(frames: &[Frame]) -> Vec<Told> {
    let with_data = frames.iter().filter(|it| it.has_data());
    with_data.map(|it| (it.event().map(|name| name.into_owned()), it.data().to_vec())).collect()
}

/// The standard's algorithm over the whole text, line by line.
fn oracle(raw: &[u8]) -> Vec<Told> {
    let mut rest = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut events = Vec::new();
    let (mut name, mut data): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    while let Some(end) = rest.iter().position(|it| matches!(it, b'\r' | b'\n')) {
        let (line, others) = rest.split_at(end);
        rest = others.strip_prefix(b"\r\n").unwrap_or(&others[1..]);
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            let name = (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned());
            events.extend(data.take().map(|data| (name, data)));
            continue;
        }
        let colon = line.iter().position(|it| *it == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => data.extend([b"\n", value].concat()),
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

/// A frame with other data tells the same event with that data.
fn edited(frame: &Frame, is_first: bool, with: &[u8]) {
    let out = frame.with_data(with);
    // Marks and line feeds that begin a stream mean something there alone.
    let before: &[u8] = if is_first { b"" } else { b":\n\n" };
    let (frames, tail) = read(&[before, &out], usize::MAX).expect("no limit");
    // After two bare carriage returns the frame has ended; a line feed that follows belongs to the next.
    assert!(tail.is_empty() || tail == b"\n", "an edited frame that does not end");
    let text = String::from_utf8(with.to_vec()).expect("the edits are text");
    let data = text.replace("\r\n", "\n").replace('\r', "\n").into_bytes();
    assert_eq!(told(&frames), [(frame.event().map(|it| it.into_owned()), data)], "the edit is not what is read");
}

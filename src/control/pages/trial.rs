//! A pasted text with the places where rules hit.

/// A part of the text, hit or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) hit: bool,
}

/// The text in pieces. Places are bytes; those that overlap are one.
pub(super) fn pieces(text: &str, places: impl Iterator<Item = (usize, usize)>) -> Vec<Piece> {
    let mut places: Vec<(usize, usize)> = places.collect();
    places.sort_unstable();
    let (mut pieces, mut at) = (Vec::new(), 0);
    let mut put = |from: usize, to: usize, hit: bool| {
        if let Some(part) = text.get(from..to).filter(|it| !it.is_empty()) {
            pieces.push(Piece { text: part.to_owned(), hit });
        }
    };
    for (start, end) in places {
        let (start, end) = (text.floor_char_boundary(start.max(at)), text.floor_char_boundary(end));
        if end > start {
            put(at, start, false);
            put(start, end, true);
            at = end;
        }
    }
    put(at, text.len(), false);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_may_overlap_and_lie_beyond() {
        let cut = |places: &[(usize, usize)]| -> Vec<String> {
            let pieces = pieces("a secret äö", places.iter().copied());
            pieces.into_iter().map(|it| if it.hit { format!("[{}]", it.text) } else { it.text }).collect()
        };
        assert_eq!(cut(&[]), ["a secret äö"]);
        assert_eq!(cut(&[(2, 8)]), ["a ", "[secret]", " äö"]);
        assert_eq!(cut(&[(4, 8), (2, 6)]), ["a ", "[secr]", "[et]", " äö"]);
        assert_eq!(cut(&[(9, 99)]), ["a secret ", "[äö]"]);
    }
}

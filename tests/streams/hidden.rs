//! Secrets in an answer, where they are hidden: the label stands in their place, wherever the text is repeated.

use serde_json::{Value, json};

use crate::client::{Client, HIDES};
use crate::dialect::{ALL, Dialect, Kind};
use crate::{Dice, access_key, characters, cut_at};

const LABEL: &str = "[REDACTED:AWS_ACCESS_KEY]";

fn text() -> String {
    format!("Use ü\naws_access_key_id = {}\nand \"nothing\" else.", access_key())
}

fn check(dialect: Dialect, kind: Kind, pieces: Vec<Vec<u8>>, how: &str) {
    let seen = Client::of(HIDES).hears(dialect, pieces);
    assert!(!seen.stopped, "{dialect:?} {kind:?} {how}: {}", seen.text());
    let view = dialect.read(&seen.bytes);
    assert_eq!(view.problems, Vec::<String>::new(), "{dialect:?} {kind:?} {how}");
    let expected = text().replace(&access_key(), LABEL);
    let plain = |text: &str| match kind {
        Kind::Tool => serde_json::from_str::<Value>(text).expect("arguments")["content"].as_str().unwrap().to_owned(),
        Kind::Text | Kind::Custom => text.to_owned(),
    };
    let got = if kind == Kind::Text { view.text } else { view.tools[&0].clone() };
    assert_eq!(plain(&got), expected, "{dialect:?} {kind:?} {how}");
    for repeated in &view.repeated {
        assert_eq!(plain(repeated), expected, "{dialect:?} {kind:?} {how}");
    }
    assert_eq!(seen.event.inbound_findings.len(), 1, "{:?}", seen.rules());
}

#[test]
fn the_label_takes_its_place_however_it_is_cut() {
    let mut dice = Dice(3);
    for dialect in ALL {
        for &kind in dialect.kinds() {
            let text = match kind {
                Kind::Tool => json!({"content": text(), "mode": 7}).to_string(),
                Kind::Text | Kind::Custom => text(),
            };
            for at in 0..text.len() {
                check(dialect, kind, dialect.events(kind, &cut_at(&text, &[at])), &format!("cut at {at}"));
            }
            check(dialect, kind, dialect.events(kind, &characters(&text)), "characters");
            for _ in 0..20 {
                let places = [dice.roll(text.len()), dice.roll(text.len()), dice.roll(text.len())];
                let bytes = dialect.events(kind, &cut_at(&text, &places)).concat();
                check(dialect, kind, dice.cut(&bytes), "bytes at random");
            }
        }
    }
}

#[test]
fn two_of_them_and_one_that_comes_again() {
    let text = format!("{} {} {}", access_key(), access_key().replace("Q7Z", "P4X"), access_key());
    for dialect in ALL {
        let seen = Client::of(HIDES).hears(dialect, dialect.events(Kind::Text, &characters(&text)));
        let view = dialect.read(&seen.bytes);
        assert_eq!(view.text, format!("{LABEL} {LABEL} {LABEL}"));
        assert_eq!(seen.event.inbound_findings.len(), 2);
    }
}

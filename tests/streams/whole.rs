//! However an answer is cut, the same comes of it as of one delta in one piece; and it costs the same per delta.

use proptest::prelude::*;

use crate::client::{Answer, Client, HIDES, RESTORES, STOPS, Seen};
use crate::dialect::{ALL, Dialect, Kind, View};
use crate::{Dice, access_key, private_key};

fn plant() -> impl Strategy<Value = String> {
    let parts = [
        "some words, ".to_owned(),
        "\n".to_owned(),
        "ü\"\\".to_owned(),
        "[REDACTED:".to_owned(),
        "https://x.test/?q=".to_owned(),
        "curl ".to_owned(),
        "password = ".to_owned(),
        "eval(request.args['x'])\n".to_owned(),
        r#"cursor.execute(f"SELECT * FROM t WHERE id = {x}")"#.to_owned(),
        access_key(),
        access_key()[..12].to_owned(),
        private_key(),
        "<placeholder>".to_owned(),
        "<placeholder>".to_owned(),
        "postgres://app:hunter2hunter2@db.internal/app".to_owned(),
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 1..7).prop_map(|parts| parts.concat())
}

/// What may not depend on how the answer was cut.
fn outcome(dialect: Dialect, seen: &Seen) -> (bool, Vec<String>, u32, View) {
    let mut rules = seen.rules();
    rules.sort();
    let mut view = dialect.read(&seen.bytes);
    view.forget_numbers();
    if seen.stopped {
        // How much of the harmless text came before, and which of several findings came first, is up to chance.
        (view.text, rules) = (String::new(), Vec::new());
        view.notice = view.notice.map(|_| String::new());
        return (true, rules, 0, view);
    }
    (false, rules, seen.event.restored, view)
}

fn hear(gateway: &str, dialect: Dialect, kind: Kind, text: &str, dice: &mut Option<Dice>) -> Seen {
    let secret = access_key().replace("Q7Z", "R6Y");
    let request = dialect.request(&format!("here: {secret}"), true);
    Client::of(gateway).ask(dialect.path(), &request, |forwarded| {
        let sent = String::from_utf8_lossy(forwarded).into_owned();
        let from = sent.find("here: ").unwrap() + 6;
        let hidden = &sent[from..from + sent[from..].find('"').unwrap()];
        let text = text.replace("<placeholder>", hidden);
        let text = match kind {
            Kind::Tool => serde_json::json!({"content": text, "path": "x"}).to_string(),
            _ => text,
        };
        match dice {
            None => Answer::stream(vec![dialect.events(kind, &[&text]).concat()]),
            Some(dice) => {
                let pieces = dice.cut(text.as_bytes());
                let mut places: Vec<usize> = Vec::new();
                pieces.iter().fold(0, |sum, piece| {
                    places.push(sum + piece.len());
                    sum + piece.len()
                });
                let events = dialect.events(kind, &crate::cut_at(&text, &places));
                Answer::stream(dice.cut(&events.concat()))
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_changes_nothing(text in plant(), seed: u64, gateway in 0..3usize, dialect in 0..3usize, kind in 0..3usize) {
        let dialect = ALL[dialect];
        let kind = dialect.kinds()[kind % dialect.kinds().len()];
        let gateway = [&STOPS.replace("outbound: [secrets]", "outbound: [vuln]"), &HIDES.to_owned(), &RESTORES.to_owned()][gateway].clone();
        let whole = hear(&gateway, dialect, kind, &text, &mut None);
        let cut = hear(&gateway, dialect, kind, &text, &mut Some(Dice(seed)));
        let (whole_outcome, cut_outcome) = (outcome(dialect, &whole), outcome(dialect, &cut));
        prop_assert!(cut_outcome.3.problems.is_empty(), "{:?} in {}", cut_outcome.3.problems, cut.text());
        prop_assert_eq!(whole_outcome, cut_outcome, "{}\nand\n{}", whole.text(), cut.text());
    }
}

/// A cost that grew with the square of the deltas would run into the test runner's limit.
#[test]
fn twenty_thousand_deltas_pass() {
    let pieces: Vec<String> = (0..20_000).map(|at| format!("{:>3}\n", at % 1000)).collect();
    for (gateway, kind) in [(RESTORES, Kind::Text), (HIDES, Kind::Text), (HIDES, Kind::Tool)] {
        for dialect in ALL {
            let request = dialect.request(&format!("here: {}", access_key()), true);
            let answer = dialect.events(kind, &pieces);
            let seen = Client::of(gateway).ask(dialect.path(), &request, |_| Answer::stream(answer.clone()));
            assert!(!seen.stopped);
            assert_eq!(seen.bytes, answer.concat(), "{dialect:?} {kind:?}");
        }
    }
}

//! Runs one message of a socket through the pipeline: the upgrade, the message, and each message of the answer.

use airiskguard_gateway::domain::{Outcome, RequestId};
use airiskguard_gateway::pipeline::{Exchange, Head, Heard, MessageKind, Opening, Sending, SocketMemory, kind_of};

use super::{Run, Script, at, pieces, snapshot, somebody_else};

/// Content type of an answer whose lines are messages.
pub const MESSAGES: &str = "application/jsonl";

/// Runs a script whose body is one message. It arrives whole, and is scanned in pieces of `cut` bytes.
pub fn run(script: &Script, cut: usize) -> Run {
    let snapshot = snapshot(&script.gateway);
    let head = Head {
        method: "GET",
        path: &script.path,
        query: None,
        headers: script.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        client: somebody_else(),
    };
    let (upgrade, connect) = Exchange::open_socket(snapshot.clone(), RequestId::new("up"), &head, at(0));
    assert!(matches!(connect, Sending::Forward(_)), "the socket does not open");
    let upgrade = upgrade.close(Outcome::Forwarded, 0, at(0));

    assert_eq!(kind_of(&script.body), MessageKind::Create);
    let memory = SocketMemory::default();
    let (mut exchange, opening) = Exchange::open_message(snapshot, RequestId::new("req-test"), &head, memory, at(0));
    assert!(matches!(opening, Opening::ReadBody { .. }), "the message is refused unread");
    let mut run =
        Run { forwarded: None, refused: None, seen: Vec::new(), steps: Vec::new(), stopped: false, event: upgrade };
    let mut request = pieces(&script.body, cut).into_iter().peekable();
    while let Some(piece) = request.next() {
        match exchange.request_body(piece, request.peek().is_none(), at(1)) {
            None => {}
            Some(Sending::Answer(reply)) => run.refused = Some(reply),
            Some(Sending::Forward(forward)) => run.forwarded = Some(forward),
        }
    }
    let answer = script.answer.as_ref().filter(|_| run.forwarded.is_some());
    let lines = answer.map(|it| it.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    for line in lines.into_iter().flatten() {
        let mut out = Vec::new();
        let heard = exchange.response_message(line.to_vec().into(), at(2), &mut out);
        for message in out {
            run.seen.extend_from_slice(&message);
            run.seen.push(b'\n');
            run.steps.push(message);
        }
        match heard {
            Heard::More => {}
            Heard::Finished => break,
            Heard::Stopped => {
                run.stopped = true;
                break;
            }
            Heard::Refused(reply) => {
                run.refused = Some(reply);
                break;
            }
        }
    }
    let outcome = if run.refused.is_some() { Outcome::Refused } else { Outcome::Forwarded };
    run.event = exchange.close(outcome, run.seen.len() as u64, at(3));
    run
}

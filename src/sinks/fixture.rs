//! An event to test with.

use std::time::Duration;

use crate::domain::{Coverage, Event, Model, Outcome, RequestId, Skipped, Stamp, Team, Verdict};

/// An exchange of the team `backend` that ended like this.
pub(super) fn event(outcome: Outcome) -> Event {
    Event {
        request: RequestId::new("r"),
        start: Stamp::default(),
        end: Stamp::default(),
        team: Team::new("backend"),
        key: None,
        session: None,
        client: None,
        agent: None,
        generation: "".into(),
        dialect: None,
        model_answered: None,
        outbound_digest: None,
        inbound_digest: None,
        texts: None,
        tokens: None,
        cost: None,
        upstream_time: None,
        upstream: Some("anthropic".into()),
        endpoint: "messages",
        model: Some(Model::new("m")),
        streamed: false,
        outcome,
        refusal: None,
        outbound: Verdict::default(),
        inbound: Verdict::default(),
        outbound_findings: vec![],
        inbound_findings: vec![],
        outbound_coverage: Coverage { scanned_bytes: 7, skipped_bytes: vec![(Skipped::Media, 3)] },
        inbound_coverage: Coverage::default(),
        restored: 2,
        request_bytes: 10,
        response_bytes: 20,
        upstream_status: Some(200),
        gateway_time: Duration::from_micros(80),
        first_byte_time: Some(Duration::from_millis(40)),
    }
}

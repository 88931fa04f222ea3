//! What gateways' own rules have imposed.

use super::{ACTIVE, ACTIVE_MAX, Quarantine, TEXT_CHARS_MAX, VALUE_BYTES_MAX, kept, key_called};
use crate::control::http::Actor;
use crate::control::server::Control;
use crate::control::{Problem, ProblemKind};
use crate::domain::HeldKind;
use crate::store::Act;

/// A gateway's rule has kept somebody out, as its record `quarantine.imposed` says: from now on all gateways do. What was
/// reported before, released since or is no such record changes nothing. `clock_ahead_ms` is how far the gateway's clock
/// is before this server's, by which the quarantine ends.
///
/// # Errors
/// The store's.
pub(in crate::control) async fn reported(
    control: &Control,
    gateway: &str,
    clock_ahead_ms: i64,
    act: &Act,
) -> Result<(), Problem> {
    let Some(quarantine) = reported_as(gateway, clock_ahead_ms, act) else { return Ok(()) };
    if control.shelf.of::<Quarantine>(ACTIVE).await?.len() >= 2 * ACTIVE_MAX {
        tracing::error!(reference = quarantine.reference, "too many quarantines: this one holds on its gateway alone");
        return Ok(());
    }
    let key = match quarantine.kind {
        HeldKind::Key => key_called(control, &quarantine.value).await?,
        _ => None,
    };
    match kept(control, &quarantine, key.as_ref()).await {
        Ok(()) => {
            let details = [("id", quarantine.reference.clone()), ("gateway", gateway.to_owned())];
            control.acts.note(&Actor::server(), "quarantine.reported", details);
            Ok(())
        }
        // Known, or its key was changed at this moment: the gateway is told so, and sends it again.
        Err(problem) if problem.kind == ProblemKind::Conflict => {
            match control.shelf.get::<Quarantine>(&quarantine.reference).await? {
                Some(_) => Ok(()),
                None => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    }
}

fn reported_as(gateway: &str, clock_ahead_ms: i64, act: &Act) -> Option<Quarantine> {
    let text =
        |name: &str| act.details.get(name).filter(|it| !it.is_empty() && it.len() <= 4 * TEXT_CHARS_MAX).cloned();
    let moment = |name: &str| {
        let by_its_clock = act.details.get(name)?.parse::<u64>().ok()?;
        Some(by_its_clock.saturating_add_signed(clock_ahead_ms.saturating_neg()))
    };
    let kind = text("kind")?;
    let kind = HeldKind::ALL.into_iter().find(|it| it.name() == kind)?;
    (act.act == "quarantine.imposed").then_some(())?;
    Some(Quarantine {
        reference: text("reference").filter(|it| it.len() <= 64)?,
        kind,
        value: text("value").filter(|it| it.len() <= VALUE_BYTES_MAX)?,
        team: text("team"),
        reason: text("reason")?,
        contact: text("contact"),
        by: format!("gateway:{gateway}"),
        by_lead: false,
        since_ms: moment("since_ms")?,
        until_ms: moment("until_ms"),
        released: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::quarantine::is_session_held;
    use crate::domain::Held;

    fn act(details: &[(&str, &str)]) -> Act {
        let details = details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Act { act: "quarantine.imposed".to_owned(), actor: "gateway".to_owned(), details }
    }

    const WHOLE: [(&str, &str); 6] = [
        ("reference", "Q-ABC"),
        ("kind", "session"),
        ("value", "s-1"),
        ("team", "red"),
        ("reason", "3 different findings"),
        ("since_ms", "17"),
    ];

    #[test]
    fn a_report_becomes_a_quarantine_that_every_gateway_can_hold() {
        let it = reported_as("edge-1", 0, &act(&WHOLE)).map(|it| (it.by.clone(), it.held()));
        let held = Held {
            reference: "Q-ABC".into(),
            kind: HeldKind::Session,
            value: "s-1".into(),
            team: Some("red".into()),
            reason: "3 different findings".into(),
            contact: None,
            since_ms: 17,
            until_ms: None,
        };
        assert_eq!(it, Some(("gateway:edge-1".to_owned(), held)));
    }

    #[test]
    fn a_report_that_is_none_changes_nothing() {
        for missing in ["reference", "kind", "value", "reason", "since_ms"] {
            let rest: Vec<_> = WHOLE.into_iter().filter(|(name, _)| *name != missing).collect();
            assert!(reported_as("edge-1", 0, &act(&rest)).is_none(), "{missing}");
        }
        let other = Act { act: "quarantine.released".to_owned(), ..act(&WHOLE) };
        assert!(reported_as("edge-1", 0, &other).is_none());
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        let of_kind = |kind, value| {
            act(&WHOLE.map(|(name, it)| match name {
                "kind" => (name, kind),
                "value" => (name, value),
                _ => (name, it),
            }))
        };
        assert!(reported_as("edge-1", 0, &of_kind("group", "s-1")).is_none());
        assert!(reported_as("edge-1", 0, &of_kind("session", &long)).is_none());
        assert!(reported_as("edge-1", 0, &of_kind("team", "red")).is_some());
    }

    #[test]
    fn moments_of_a_gateway_are_told_by_the_clock_of_the_server() {
        let mut reported = act(&WHOLE);
        reported.details.insert("until_ms".to_owned(), "90000".to_owned());
        let moments = |ahead_ms| reported_as("edge-1", ahead_ms, &reported).map(|it| (it.since_ms, it.until_ms));
        assert_eq!(moments(0), Some((17, Some(90_000))));
        assert_eq!(moments(-3_600_000), Some((3_600_017, Some(3_690_000))));
        assert_eq!(moments(60_000), Some((0, Some(30_000))));
    }

    #[test]
    fn a_session_is_held_by_itself_and_with_its_team() {
        let held: Vec<Held> = reported_as("edge-1", 0, &act(&WHOLE)).map(|it| it.held()).into_iter().collect();
        assert!(is_session_held(&held, "red", "s-1"));
        assert!(!is_session_held(&held, "blue", "s-1") && !is_session_held(&held, "red", "s-2"));
    }
}

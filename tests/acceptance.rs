//! Acceptance of the way out: what a developer sends, and what the provider receives of it.
//!
//! One module per promise. The made-up keys are assembled, so that none stands whole in a file.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod support;

#[path = "acceptance/access.rs"]
mod access;
#[path = "acceptance/again.rs"]
mod again;
#[path = "acceptance/client.rs"]
mod client;
#[path = "acceptance/evasions.rs"]
mod evasions;
#[path = "acceptance/harmless.rs"]
mod harmless;
#[path = "acceptance/known.rs"]
mod known;
#[path = "acceptance/nested.rs"]
mod nested;
#[path = "acceptance/odd_bodies.rs"]
mod odd_bodies;
#[path = "acceptance/places.rs"]
mod places;
#[path = "acceptance/quarantine.rs"]
mod quarantine;
#[path = "acceptance/random_prompts.rs"]
mod random_prompts;
#[path = "acceptance/settings.rs"]
mod settings;
#[path = "acceptance/tokens.rs"]
mod tokens;
#[path = "acceptance/transport.rs"]
mod transport;

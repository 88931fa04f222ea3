//! One entry as one text, a file for each format. All are pure functions over the facts of `mapping.rs`.

mod cef;
mod ecs;
mod json;
mod leef;
mod ocsf;
pub(super) mod otel;
mod tree;

#[cfg(test)]
mod tests;

pub(super) use self::ecs::SCHEMA as ECS_SCHEMA;
pub(super) use self::ocsf::SCHEMA as OCSF_SCHEMA;
use crate::config::SiemFormat;

use super::view::View;

/// Who made the program that these events are from.
pub(super) const VENDOR: &str = "AIRiskGuard";
/// The program.
pub(super) const PRODUCT: &str = "AI Gateway";
/// Its version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The event as text without line breaks.
pub(super) fn encode(format: SiemFormat, view: &View<'_>) -> String {
    match format {
        SiemFormat::Cef => cef::encode(view),
        SiemFormat::Leef => leef::encode(view),
        SiemFormat::Json => json::encode(view),
        SiemFormat::Ecs => ecs::encode(view),
        SiemFormat::Ocsf => ocsf::encode(view),
    }
}

/// `2026-11-22T09:30:00.123Z`; a moment that no calendar holds becomes the first one.
pub(super) fn timestamp(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    moment.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

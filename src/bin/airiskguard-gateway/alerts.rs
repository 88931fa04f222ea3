//! `alerts test`: one made-up alert through each channel of `notifications:`, and what came back.

use std::fmt::Write as _;
use std::io::Write;

use airiskguard_gateway::config::Overrides;
use airiskguard_gateway::sinks::alerts;

use crate::arguments::Alerts;
use crate::{configuration, print};

/// What the alert names as its gateway.
const GATEWAY: &str = "airiskguard-gateway alerts test";

/// Returns the exit code: 1 where a channel did not take the alert.
pub(crate) fn run(command: &Alerts, out: &mut dyn Write) -> Result<u8, String> {
    let Alerts::Test { config } = command;
    let (file, _) = configuration::load(config.path(), &Overrides::default())?;
    let now_ms = u64::try_from(configuration::now().unix.as_millis()).unwrap_or(u64::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let tested = runtime.block_on(alerts::test(&file.notifications, GATEWAY, now_ms))?;
    if tested.is_empty() {
        return Err("no channel is configured: `notifications:` names none".to_owned());
    }
    let mut text = String::new();
    for it in &tested {
        // Writing to a String cannot fail.
        let _ = match &it.answer {
            Ok(()) => writeln!(text, "{}: sent", it.name),
            Err(what) => writeln!(text, "{}: not sent: {what}", it.name),
        };
    }
    print(out, &text)?;
    Ok(u8::from(tested.iter().any(|it| it.answer.is_err())))
}

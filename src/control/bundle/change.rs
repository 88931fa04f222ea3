//! Whether what is published still loads after a change. What would break a group's bundle is refused before it is kept.

use super::check::ANY_URL;
use super::current::State;
use super::inputs::{Change, Inputs};
use super::load::{Fault, sentences};
use crate::control::Problem;
use crate::control::gateways::DEFAULT_GROUP;
use crate::control::policies::{Policy, Subject};
use crate::control::providers::{Provider, ProviderSettings};
use crate::control::server::Control;

/// Stands in where no provider is kept yet, so that everything else can be judged.
const ANY_PROVIDER: &str = "anthropic";

/// Refuses a change after which what a group runs on would no longer load. What did not load before is not in the way of
/// anything.
///
/// # Errors
/// The store's; what is wrong, by group.
pub(crate) async fn check_change(control: &Control, change: &Change) -> Result<(), Problem> {
    for group in groups(control).await? {
        let before = Inputs::read(control, &group).await?;
        let serves = control.shelf.get::<State>(&group).await?.is_some();
        let after = standing_in(before.clone().after(change, &group), serves);
        let Err(faults) = control.bundles.loader.load(after).await? else { continue };
        if control.bundles.loader.load(standing_in(before, serves)).await?.is_ok() {
            let what = format!("with this, what the gateways of the group `{group}` run on would no longer load");
            return Err(Problem::conflict(what).with(sentences(&faults)));
        }
    }
    Ok(())
}

/// What is wrong with a text if it were published, in every group that it is for.
pub(crate) async fn faults_of(control: &Control, subject: &Subject, text: &str) -> Result<Vec<Fault>, Problem> {
    let change = Change::Text(subject.clone(), text.to_owned());
    let groups = match subject {
        Subject::Group(group) => vec![group.clone()],
        _ => groups(control).await?,
    };
    for group in groups {
        let after = Inputs::read(control, &group).await?.after(&change, &group);
        if let Err(faults) = control.bundles.loader.load(standing_in(after, false)).await? {
            return Ok(faults);
        }
    }
    Ok(Vec::new())
}

/// The groups that have a policy or have asked for a bundle, and the default one.
async fn groups(control: &Control) -> Result<Vec<String>, Problem> {
    let mut groups = vec![DEFAULT_GROUP.to_owned()];
    for policy in control.shelf.all::<Policy>().await? {
        if let Some(Subject::Group(group)) = Subject::parse(&policy.id) {
            groups.push(group);
        }
    }
    groups.extend(control.shelf.all::<State>().await?.iter().map(|it| it.group.clone()));
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// With a provider, where there is none and none is needed yet.
pub(crate) fn standing_in(mut inputs: Inputs, serves: bool) -> Inputs {
    if inputs.providers.is_empty() && !serves {
        let settings = ProviderSettings { urls: vec![ANY_URL.to_owned()], dialect: ANY_PROVIDER.to_owned() };
        inputs.providers.push(Provider { name: ANY_PROVIDER.to_owned(), settings, keys: Vec::new() });
    }
    inputs
}

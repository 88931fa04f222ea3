//! How often what a rule finds is what it looks for, as people have judged.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::Problem;
use crate::control::http::{Granted, Json, Route, get};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::shelf::{Batch, Kept, Stored};

/// What was judged of one rule in one team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    /// `team/rule`.
    id: String,
    team: String,
    rule: String,
    right: u64,
    wrong: u64,
}

impl Stored for Judged {
    const KIND: &'static str = "judged rule";

    fn id(&self) -> &str {
        &self.id
    }
}

/// How precise a rule is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Precision {
    /// The rule's id.
    pub(crate) rule: String,
    /// Exchanges in which it had found what it looks for.
    pub(crate) right: u64,
    /// Exchanges in which it had not.
    pub(crate) wrong: u64,
    /// The share of the first in both, 0 to 1.
    pub(crate) precision: f64,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("rules.precision", "/api/v1/rules/precision", Permission::Review, list)
            .says("How often rules were judged right, within reach, the least precise first")
            .answers::<Vec<Precision>>(),
    ]
}

async fn list(State(control): State<Control>, granted: Granted) -> Result<Json<Vec<Precision>>, Problem> {
    Ok(Json(all(&control, &granted).await?))
}

/// What was judged within reach, by rule.
pub(crate) async fn all(control: &Control, granted: &Granted) -> Result<Vec<Precision>, Problem> {
    let mut rules = std::collections::BTreeMap::<String, Precision>::new();
    for it in control.shelf.all::<Judged>().await? {
        if granted.need_team(&it.team).is_ok() {
            let sum = rules.entry(it.rule.clone()).or_default();
            (sum.right, sum.wrong) = (sum.right + it.right, sum.wrong + it.wrong);
        }
    }
    let precision = |(rule, it): (String, Precision)| {
        let all = (it.right + it.wrong).max(1);
        Precision { rule, precision: it.right as f64 / all as f64, ..it }
    };
    let mut rules: Vec<Precision> = rules.into_iter().map(precision).collect();
    rules.sort_by(|one, other| one.precision.total_cmp(&other.precision).then_with(|| one.rule.cmp(&other.rule)));
    Ok(rules)
}

/// Adds a judgement of these rules to a commit.
pub(super) async fn judge(
    control: &Control,
    mut batch: Batch,
    team: &str,
    rules: &[String],
    is_right: bool,
) -> Result<Batch, Problem> {
    for rule in rules {
        let id = format!("{team}/{rule}");
        let kept: Option<Kept<Judged>> = control.shelf.get(&id).await?;
        let known = kept.as_ref().map(|it| it.value.clone());
        let fresh = || Judged { id, team: team.to_owned(), rule: rule.clone(), ..Judged::default() };
        let mut judged = known.unwrap_or_else(fresh);
        judged.right += u64::from(is_right);
        judged.wrong += u64::from(!is_right);
        batch = match kept {
            Some(kept) => batch.update(&Kept { version: kept.version, value: judged }),
            None => batch.insert(&judged),
        };
    }
    Ok(batch)
}

//! Whose records somebody may see: all, those of their teams, or those made with their own keys.

use crate::control::Problem;
use crate::control::http::Granted;
use crate::control::keys::Key;
use crate::control::roles::Reach;
use crate::control::server::Control;

/// Whose records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everyone's.
    All,
    /// Those of these teams.
    Teams(Vec<String>),
    /// Those made with these keys: team, and the key as records name it.
    Keys(Vec<(String, String)>),
}

impl Scope {
    /// What this call may see.
    pub(super) async fn of(control: &Control, granted: &Granted) -> Result<Scope, Problem> {
        Ok(match granted.reach {
            Reach::All => Scope::All,
            Reach::Team => Scope::Teams(granted.teams().to_vec()),
            Reach::Own => {
                let user = granted.user()?;
                let keys = control.shelf.all::<Key>().await?;
                let own = keys.iter().filter(|it| it.owner.as_deref() == Some(user));
                Scope::Keys(own.map(|it| (it.team.clone(), it.in_records().to_owned())).collect())
            }
        })
    }

    /// Whether a record of this team and key may be seen.
    pub(super) fn holds(&self, team: &str, key: Option<&str>) -> bool {
        match self {
            Scope::All => true,
            Scope::Teams(teams) => teams.iter().any(|it| it == team),
            Scope::Keys(keys) => keys.iter().any(|(of, its)| of == team && Some(its.as_str()) == key),
        }
    }

    /// The teams that records may be of, each once; `None`: any.
    pub(super) fn teams(&self) -> Option<Vec<&str>> {
        let mut teams: Vec<&str> = match self {
            Scope::All => return None,
            Scope::Teams(teams) => teams.iter().map(String::as_str).collect(),
            Scope::Keys(keys) => keys.iter().map(|(team, _)| team.as_str()).collect(),
        };
        teams.sort_unstable();
        teams.dedup();
        Some(teams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reaches_beyond_their_teams_and_keys() {
        let text = |it: &str| it.to_owned();
        let lead = Scope::Teams(vec![text("red"), text("red")]);
        assert!(lead.holds("red", None) && !lead.holds("blue", None));
        assert_eq!(lead.teams(), Some(vec!["red"]));
        let developer = Scope::Keys(vec![(text("red"), text("0a0a0a0a"))]);
        assert!(developer.holds("red", Some("0a0a0a0a")));
        assert!(!developer.holds("red", None) && !developer.holds("red", Some("ffffffff")));
        assert!(!developer.holds("blue", Some("0a0a0a0a")), "the same digits in another team");
        assert_eq!(Scope::Keys(Vec::new()).teams(), Some(Vec::new()));
        assert!(Scope::All.holds("any", None) && Scope::All.teams().is_none());
    }
}

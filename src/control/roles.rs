//! Who may do what: one enum of roles, one of permissions, one table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person is in the control plane. Somebody may be several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything, and alone appoints owners.
    Owner,
    /// May do everything else.
    Administrator,
    /// Writes and publishes policies and rules.
    PolicyAuthor,
    /// Approves policies and judges what waits for review.
    Reviewer,
    /// Looks into findings of all teams, quarantines and releases.
    Analyst,
    /// Reads everything, changes nothing.
    Auditor,
    /// Looks after the teams that the user belongs to.
    TeamLead,
    /// Sees what was found in their own requests.
    Developer,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Counts over time: requests, blocks, tokens, cost.
    ReadOverview,
    /// Records of exchanges, their findings and sessions.
    ReadFindings,
    /// Records of what administrators did, and whether the chains hold.
    VerifyAudit,
    /// Records in bulk.
    ExportAudit,
    /// Teams and the names of their keys.
    ReadTeams,
    /// Teams.
    ManageTeams,
    /// Gateway keys.
    ManageKeys,
    /// Providers, without their keys.
    ReadProviders,
    /// Providers and their keys.
    ManageProviders,
    /// Policies and rules, drafts included.
    ReadPolicies,
    /// Drafts of policies and rules.
    WritePolicies,
    /// A draft of somebody else.
    ApprovePolicies,
    /// What gateways run on.
    PublishPolicies,
    /// Gateways and what they report.
    ReadGateways,
    /// Enrolment and removal of gateways.
    ManageGateways,
    /// Quarantines: those that are, imposing and releasing.
    Quarantine,
    /// What waits for review.
    Review,
    /// People and their roles.
    ReadUsers,
    /// People and their roles, but for owners.
    ManageUsers,
    /// Owners.
    AppointOwners,
    /// Settings of the control plane.
    ReadSettings,
    /// Settings of the control plane.
    ManageSettings,
}

/// How far a permission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// What belongs to the user.
    Own,
    /// What belongs to the user's teams.
    Team,
    /// Everything.
    All,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Role; 8] = [
        Role::Owner,
        Role::Administrator,
        Role::PolicyAuthor,
        Role::Reviewer,
        Role::Analyst,
        Role::Auditor,
        Role::TeamLead,
        Role::Developer,
    ];

    /// The name in configurations and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Administrator => "administrator",
            Role::PolicyAuthor => "policy_author",
            Role::Reviewer => "reviewer",
            Role::Analyst => "analyst",
            Role::Auditor => "auditor",
            Role::TeamLead => "team_lead",
            Role::Developer => "developer",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|it| it.name() == name)
    }

    /// How far this role may do this; `None`: not at all. This is the whole table.
    pub fn reach(self, permission: Permission) -> Option<Reach> {
        use Permission as P;
        let everywhere = |these: &[Permission]| these.contains(&permission).then_some(Reach::All);
        match self {
            Role::Owner => Some(Reach::All),
            Role::Administrator => (permission != P::AppointOwners).then_some(Reach::All),
            Role::PolicyAuthor => everywhere(&[
                P::ReadOverview,
                P::ReadFindings,
                P::ReadTeams,
                P::ReadPolicies,
                P::WritePolicies,
                P::PublishPolicies,
                P::ReadGateways,
            ]),
            Role::Reviewer => everywhere(&[
                P::ReadOverview,
                P::ReadFindings,
                P::ReadTeams,
                P::ReadPolicies,
                P::ApprovePolicies,
                P::ReadGateways,
                P::Review,
            ]),
            Role::Analyst => everywhere(&[
                P::ReadOverview,
                P::ReadFindings,
                P::ExportAudit,
                P::ReadTeams,
                P::ReadPolicies,
                P::ReadGateways,
                P::Quarantine,
                P::Review,
            ]),
            Role::Auditor => everywhere(&[
                P::ReadOverview,
                P::ReadFindings,
                P::VerifyAudit,
                P::ExportAudit,
                P::ReadTeams,
                P::ReadProviders,
                P::ReadPolicies,
                P::ReadGateways,
                P::ReadUsers,
                P::ReadSettings,
            ]),
            Role::TeamLead => match permission {
                P::ReadOverview | P::ReadFindings | P::ReadTeams | P::ManageKeys | P::Quarantine | P::Review => {
                    Some(Reach::Team)
                }
                _ => None,
            },
            Role::Developer => match permission {
                P::ReadOverview | P::ReadFindings | P::ReadTeams => Some(Reach::Own),
                _ => None,
            },
        }
    }
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 22] = [
        Permission::ReadOverview,
        Permission::ReadFindings,
        Permission::VerifyAudit,
        Permission::ExportAudit,
        Permission::ReadTeams,
        Permission::ManageTeams,
        Permission::ManageKeys,
        Permission::ReadProviders,
        Permission::ManageProviders,
        Permission::ReadPolicies,
        Permission::WritePolicies,
        Permission::ApprovePolicies,
        Permission::PublishPolicies,
        Permission::ReadGateways,
        Permission::ManageGateways,
        Permission::Quarantine,
        Permission::Review,
        Permission::ReadUsers,
        Permission::ManageUsers,
        Permission::AppointOwners,
        Permission::ReadSettings,
        Permission::ManageSettings,
    ];

    /// The name in the API and in scopes of tokens.
    pub(super) fn name(self) -> &'static str {
        match self {
            Permission::ReadOverview => "read_overview",
            Permission::ReadFindings => "read_findings",
            Permission::VerifyAudit => "verify_audit",
            Permission::ExportAudit => "export_audit",
            Permission::ReadTeams => "read_teams",
            Permission::ManageTeams => "manage_teams",
            Permission::ManageKeys => "manage_keys",
            Permission::ReadProviders => "read_providers",
            Permission::ManageProviders => "manage_providers",
            Permission::ReadPolicies => "read_policies",
            Permission::WritePolicies => "write_policies",
            Permission::ApprovePolicies => "approve_policies",
            Permission::PublishPolicies => "publish_policies",
            Permission::ReadGateways => "read_gateways",
            Permission::ManageGateways => "manage_gateways",
            Permission::Quarantine => "quarantine",
            Permission::Review => "review",
            Permission::ReadUsers => "read_users",
            Permission::ManageUsers => "manage_users",
            Permission::AppointOwners => "appoint_owners",
            Permission::ReadSettings => "read_settings",
            Permission::ManageSettings => "manage_settings",
        }
    }
}

/// How far somebody with all these roles may do this.
pub(super) fn reach(roles: &[Role], permission: Permission) -> Option<Reach> {
    roles.iter().filter_map(|it| it.reach(permission)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auditors_read_everything_and_change_nothing() {
        use Permission as P;
        let changing = [
            P::ManageTeams,
            P::ManageKeys,
            P::ManageProviders,
            P::WritePolicies,
            P::ApprovePolicies,
            P::PublishPolicies,
            P::ManageGateways,
            P::Quarantine,
            P::Review,
            P::ManageUsers,
            P::AppointOwners,
            P::ManageSettings,
        ];
        for permission in Permission::ALL {
            assert_eq!(Role::Auditor.reach(permission).is_some(), !changing.contains(&permission), "{permission:?}");
        }
    }

    #[test]
    fn only_owners_appoint_owners_and_nobody_beside_them_reaches_further_than_administrators() {
        for role in Role::ALL {
            assert_eq!(role.reach(Permission::AppointOwners).is_some(), role == Role::Owner);
            for permission in Permission::ALL {
                if role != Role::Owner {
                    assert!(role.reach(permission) <= Role::Administrator.reach(permission), "{role:?} {permission:?}");
                }
            }
        }
    }

    #[test]
    fn leads_and_developers_reach_nothing_of_others() {
        for permission in Permission::ALL {
            assert!(Role::TeamLead.reach(permission) <= Some(Reach::Team));
            assert!(Role::Developer.reach(permission) <= Some(Reach::Own));
        }
        assert_eq!(reach(&[Role::Developer, Role::Auditor], Permission::ReadFindings), Some(Reach::All));
        assert_eq!(reach(&[], Permission::ReadOverview), None);
    }

    #[test]
    fn names_are_those_of_the_api() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
            assert_eq!(Role::named(role.name()), Some(role));
        }
        assert_eq!(Role::named("root"), None);
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.name());
        }
    }
}

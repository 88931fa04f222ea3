//! The control plane: teams, keys, policies, the people who may change them, and what gateways are told. One place for a
//! fleet; the same code serves a process of its own and, embedded, a single gateway.

mod acts;
pub mod agent;
mod bundle;
mod findings;
mod gateways;
mod health;
mod http;
mod ingest;
mod keys;
mod pages;
mod policies;
mod polls;
mod problem;
mod providers;
mod quarantine;
mod roles;
mod rules;
mod seal;
mod server;
mod settings;
mod shelf;
mod sign_in;
mod start;
mod teams;
mod time;
mod tokens;
mod users;

pub use self::http::{Offered, Whom, offered, openapi};
pub use self::problem::{Problem, ProblemKind};
pub use self::roles::{Permission, Reach, Role};
pub use self::seal::MasterKey;
pub use self::server::{Control, Parts, app, serve, serve_handed};
pub use self::settings::Settings;
pub use self::sign_in::{Membership, Oidc, Saml};

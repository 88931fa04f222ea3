//! Load for AI gateways: a loopback provider, realistic agent traffic, what it costs, and peers side by side.
//!
//! It knows no gateway: whatever speaks the Anthropic Messages, OpenAI chat completions or Responses dialect over HTTP can
//! be measured. `README.md` beside this crate says how.

pub mod agent;
pub mod client;
pub mod compare;
pub mod dialect;
pub mod files;
pub mod load;
pub mod measure;
pub mod process;
pub mod provider;
pub mod random;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stream;
pub mod writing;

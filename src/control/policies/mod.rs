//! Policies of groups of gateways, and rules of the company's own: texts that are drafted, validated, compared, approved,
//! published and taken back. Rules go through the same steps as policies, because who can take a rule away can open what
//! a policy closed.

mod kept;

pub(super) use self::kept::{Draft, Policy, Standing, Subject, Version};

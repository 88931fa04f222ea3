//! Names of OpenTelemetry's attributes for generative AI. They are not stable yet: a new version of the conventions is
//! a change of this table and of nothing else.

/// The version of the conventions that these names are from.
pub(super) const VERSION: &str = "1.37.0";

pub(super) const PROVIDER: &str = "gen_ai.provider.name";
pub(super) const OPERATION: &str = "gen_ai.operation.name";
pub(super) const MODEL_ASKED: &str = "gen_ai.request.model";
pub(super) const MODEL_ANSWERED: &str = "gen_ai.response.model";
pub(super) const SESSION: &str = "gen_ai.conversation.id";
pub(super) const TOKENS_IN: &str = "gen_ai.usage.input_tokens";
pub(super) const TOKENS_OUT: &str = "gen_ai.usage.output_tokens";

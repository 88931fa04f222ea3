//! The three ways in which coding tools talk to a provider, as far as load and its check need them.

use serde::{Deserialize, Serialize};

/// What the body of a request is, and with it the shape of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Anthropic Messages.
    Anthropic,
    /// Anthropic's counting of tokens: a whole prompt, a short answer.
    CountTokens,
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 4] = [Dialect::Anthropic, Dialect::CountTokens, Dialect::Chat, Dialect::Responses];

    /// Where clients of this dialect post.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Anthropic => "/v1/messages",
            Dialect::CountTokens => "/v1/messages/count_tokens",
            Dialect::Chat => "/v1/chat/completions",
            Dialect::Responses => "/v1/responses",
        }
    }

    /// The dialect of a path, whatever prefix a gateway left on it or took off it.
    pub fn of_path(path: &str) -> Option<Dialect> {
        let path = path.trim_end_matches('/');
        let ends = |end: &str| path.ends_with(end);
        match () {
            () if ends("/count_tokens") => Some(Dialect::CountTokens),
            () if ends("/messages") => Some(Dialect::Anthropic),
            () if ends("/chat/completions") => Some(Dialect::Chat),
            () if ends("/responses") => Some(Dialect::Responses),
            () => None,
        }
    }

    /// Whether Anthropic's headers and error shapes hold.
    pub fn is_anthropic(self) -> bool {
        matches!(self, Dialect::Anthropic | Dialect::CountTokens)
    }

    /// The model that requests name.
    pub fn model(self) -> &'static str {
        if self.is_anthropic() { "claude-sonnet-4-5" } else { "gpt-5" }
    }

    /// Whether a refusal has the shape that clients of this dialect can show.
    pub fn is_error_shape(self, body: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
        let text = |value: &serde_json::Value| value.as_str().is_some_and(|it| !it.is_empty());
        let named = text(&value["error"]["type"]) && text(&value["error"]["message"]);
        named && (!self.is_anthropic() || value["type"] == "error")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_dialect_behind_any_prefix() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::of_path(dialect.path()), Some(dialect));
            assert_eq!(Dialect::of_path(&format!("/company{}/", dialect.path())), Some(dialect));
        }
        assert_eq!(Dialect::of_path("/v1/models"), None);
    }

    #[test]
    fn an_error_is_told_from_a_page_and_from_the_other_dialect() {
        let anthropic = br#"{"type":"error","error":{"type":"overloaded_error","message":"later"}}"#;
        let openai = br#"{"error":{"message":"later","type":"server_error","param":null,"code":null}}"#;
        assert!(Dialect::Anthropic.is_error_shape(anthropic));
        assert!(Dialect::Chat.is_error_shape(openai));
        assert!(!Dialect::Anthropic.is_error_shape(openai));
        assert!(!Dialect::Responses.is_error_shape(b"<html>502 Bad Gateway</html>"));
        assert!(!Dialect::Responses.is_error_shape(br#"{"error":"later"}"#));
    }
}

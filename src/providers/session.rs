//! Where clients tell which conversation a request belongs to.

use serde::Deserialize;

/// Longer ids are no ids.
const SESSION_BYTES_MAX: usize = 256;

/// Headers that carry a session or conversation id, lower case, most exact first.
pub const SESSION_HEADERS: [&str; 8] = [
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "x-session-id",
    "thread-id",
    "conversation-id",
    "conversation_id",
    "x-conversation-id",
];

/// Whether the header of this lower-case name carries a session id.
pub fn session_header(name: &str) -> bool {
    SESSION_HEADERS.contains(&name)
}

/// The session id inside a `metadata.user_id`: its member `session_id` if it is JSON, what follows `_session_` otherwise
/// (the spelling of older Claude Code). `None` if it names a user only.
pub fn session_in_user_id(user_id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct UserId {
        session_id: String,
    }
    let id = match serde_json::from_str::<UserId>(user_id) {
        Ok(parsed) => parsed.session_id,
        Err(_) => user_id.rsplit_once("_session_")?.1.to_owned(),
    };
    let fits = !id.is_empty() && id.len() <= SESSION_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert!(session_header("x-claude-code-session-id"));
        assert!(session_header("session_id"));
        assert!(!session_header("x-request-id"));
    }

    #[test]
    fn user_ids() {
        let check = |user_id: &str, expected: Option<&str>| {
            assert_eq!(session_in_user_id(user_id).as_deref(), expected, "{user_id}");
        };
        check(r#"{"device_id":"d","account_uuid":"","session_id":"0f-1"}"#, Some("0f-1"));
        check("user_ab12_account__session_77-88", Some("77-88"));
        check("user-1", None);
        check("{}", None);
        check(r#"{"session_id":7}"#, None);
        check(r#"{"session_id":""}"#, None);
        check(r#"{"session_id":"a\nb"}"#, None);
        check(&format!("x_session_{}", "a".repeat(257)), None);
    }
}

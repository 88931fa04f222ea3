//! Where text sits in Anthropic's requests and answers, and who wrote it.

use crate::domain::{Skipped, Source};
use crate::providers::{Leaf, Role, Scope};
use crate::wire::json::Step;

/// Longest chain of wrappers (`requests[i].params`, `result.message`) that is looked through.
const WRAPPERS_MAX: usize = 4;

/// What the string at `steps` is. Nothing is skipped: a place that is not known is text of the nearest author.
pub(super) fn classify(mut steps: &[Step], mut scopes: &[Scope]) -> Leaf {
    for _ in 0..WRAPPERS_MAX {
        let wrapper = match steps {
            [Step::Key(outer), Step::Index(_), Step::Key(inner), ..] if outer == "requests" && inner == "params" => 3,
            [Step::Key(outer), Step::Key(inner), ..] if outer == "result" && inner == "message" => 2,
            _ => break,
        };
        steps = steps.get(wrapper..).unwrap_or_default();
        scopes = scopes.get(wrapper..).unwrap_or_default();
    }
    let Some(Step::Key(key)) = steps.first() else { return Leaf::Text(Source::Metadata) };
    match (key.as_str(), steps.get(1..).unwrap_or_default()) {
        ("model", []) => Leaf::Model,
        ("system", rest) => content(rest, from(scopes, 1), Source::System),
        ("messages", [Step::Index(_), rest @ ..]) => message(rest, from(scopes, 2), Source::ToolResult),
        ("content", _) => message(steps, scopes, Source::Assistant),
        ("tools", _) => Leaf::Text(Source::ToolSchema),
        ("metadata", [Step::Key(user)]) if user == "user_id" => Leaf::Session,
        _ => Leaf::Text(Source::Metadata),
    }
}

/// A string inside a message. An author not read yet is `unread`.
fn message(steps: &[Step], scopes: &[Scope], unread: Source) -> Leaf {
    let source = match scopes.first().and_then(|message| message.role) {
        Some(Role::User) => Source::User,
        Some(Role::Assistant) => Source::Assistant,
        Some(Role::System) => Source::System,
        Some(Role::Tool | Role::Other) => Source::ToolResult,
        None => unread,
    };
    match steps {
        [Step::Key(key), rest @ ..] if key == "content" => content(rest, from(scopes, 1), source),
        [Step::Key(key)] if is_label(key) => Leaf::Text(Source::Metadata),
        _ => Leaf::Text(source),
    }
}

/// A string inside a `content`: the content itself, or anything in its blocks, however deep.
/// What is said once holds below: everything in a tool's result is the tool's.
fn content(steps: &[Step], scopes: &[Scope], author: Source) -> Leaf {
    let mut source = author;
    for (depth, step) in steps.iter().enumerate() {
        let Step::Key(key) = step else { continue };
        let last = depth + 1 == steps.len();
        let kind = scopes.get(depth).and_then(|block| block.kind.as_deref());
        let under = depth.checked_sub(1).and_then(|above| steps.get(above));
        if last && let Some(leaf) = opaque(under, key, kind, source) {
            return leaf;
        }
        if last && is_label(key) {
            return Leaf::Text(Source::Metadata);
        }
        source = match member(key, kind, source) {
            Member::Of(source) => source,
            Member::Final(source) => return Leaf::Text(source),
        };
    }
    Leaf::Text(source)
}

/// What a member of a block makes of the source.
enum Member {
    /// The author of what is below; blocks below may say otherwise.
    Of(Source),
    /// The author of everything below.
    Final(Source),
}

fn member(key: &str, kind: Option<&str>, source: Source) -> Member {
    if source == Source::ToolResult {
        return Member::Of(source);
    }
    match (kind, key) {
        (Some("tool_use" | "server_tool_use" | "mcp_tool_use") | None, "input") => Member::Final(Source::ToolInput),
        (Some("tool_use" | "server_tool_use" | "mcp_tool_use"), _) => Member::Of(source),
        (_, "cache_control" | "caller") => Member::Final(Source::Metadata),
        (Some(kind), _) if kind.ends_with("tool_result") || kind == "search_result" => Member::Of(Source::ToolResult),
        // A block whose type comes last: only results, documents and sources have content of their own.
        (None, "content") => Member::Of(Source::ToolResult),
        (Some("document"), _) => Member::Of(Source::Document),
        _ => Member::Of(source),
    }
}

/// Leaves that hold no text, if their bytes prove it, and those that are signed.
fn opaque(under: Option<&Step>, key: &str, kind: Option<&str>, source: Source) -> Option<Leaf> {
    match (kind, key) {
        // With its type behind it, too: no other block has such a member.
        (Some("thinking") | None, "thinking") if source == Source::Assistant => Some(Leaf::Sealed(Source::Assistant)),
        (Some("thinking"), "signature") if source == Source::Assistant => Some(Leaf::Opaque(Skipped::Signature)),
        (Some("redacted_thinking"), "data") if source == Source::Assistant => Some(Leaf::Opaque(Skipped::Encrypted)),
        (_, "encrypted_content" | "encrypted_index" | "encrypted_stdout") => Some(Leaf::Opaque(Skipped::Encrypted)),
        (Some("base64") | None, "data") if matches!(under, Some(Step::Key(under)) if under == "source") => {
            Some(Leaf::Opaque(Skipped::Media))
        }
        _ => None,
    }
}

/// Members that name and number things.
fn is_label(key: &str) -> bool {
    matches!(
        key,
        "type" | "role" | "id" | "tool_use_id" | "name" | "server_name" | "media_type" | "file_id" | "container_id"
    )
}

fn from(scopes: &[Scope], depth: usize) -> &[Scope] {
    scopes.get(depth..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::fixture::place;

    /// `place` spells path and scopes: `messages[0]{user}.content[1]{,text}.text`.
    fn check(spelled: &str, expected: Leaf) {
        let (steps, scopes) = place(spelled);
        assert_eq!(classify(&steps, &scopes), expected, "{spelled}");
    }

    fn text(spelled: &str, source: Source) {
        check(spelled, Leaf::Text(source));
    }

    #[test]
    fn top_level() {
        check("model", Leaf::Model);
        check("metadata.user_id", Leaf::Session);
        text("metadata.other", Source::Metadata);
        text("system", Source::System);
        text("system[0]{,text}.text", Source::System);
        text("system[0]{,text}.cache_control.type", Source::Metadata);
        text("tools[3].input_schema.properties.data.description", Source::ToolSchema);
        text("stop_sequences[0]", Source::Metadata);
        text("novelty.deep[0].text", Source::Metadata);
        text("", Source::Metadata);
    }

    #[test]
    fn messages_by_role() {
        text("messages[0]{user}.content", Source::User);
        text("messages[0]{assistant}.content", Source::Assistant);
        text("messages[0]{system}.content", Source::System);
        text("messages[0]{user}.role", Source::Metadata);
        text("messages[0]{user}.novelty", Source::User);
        text("messages[0]{user}.content[0]{,text}.text", Source::User);
        text("messages[0]{user}.content[0]{,text}.type", Source::Metadata);
        text("messages[0]{user}.content[0]{,novelty}.deep.er[2].text", Source::User);
        text("messages[0].content", Source::ToolResult);
        text("messages[0].content[0]{,text}.text", Source::ToolResult);
        text("messages[0]{other}.content", Source::ToolResult);
        text("messages", Source::Metadata);
    }

    #[test]
    fn tools() {
        text("messages[1]{assistant}.content[0]{,tool_use}.input.command", Source::ToolInput);
        text("messages[1]{assistant}.content[0]{,tool_use}.input.id", Source::ToolInput);
        text("messages[1]{assistant}.content[0]{,tool_use}.input.edits[0]{,text}.data", Source::ToolInput);
        text("messages[1]{assistant}.content[0].input.command", Source::ToolInput);
        text("messages[1]{assistant}.content[0]{,tool_use}.name", Source::Metadata);
        text("messages[2]{user}.content[0]{,tool_result}.content", Source::ToolResult);
        text("messages[2]{user}.content[0]{,tool_result}.content[0]{,text}.text", Source::ToolResult);
        text("messages[2]{user}.content[0]{,tool_result}.tool_use_id", Source::Metadata);
        text("messages[2]{user}.content[0].content[0]{,text}.text", Source::ToolResult);
        text("messages[2]{user}.content[0]{,web_search_tool_result}.content[0].title", Source::ToolResult);
        text("messages[2]{user}.content[0]{,tool_result}.content[0]{,document}.source{,text}.data", Source::ToolResult);
    }

    #[test]
    fn signed_and_opaque() {
        let block = "messages[1]{assistant}.content[0]";
        check(&format!("{block}{{,thinking}}.thinking"), Leaf::Sealed(Source::Assistant));
        check(&format!("{block}{{,thinking}}.signature"), Leaf::Opaque(Skipped::Signature));
        check(&format!("{block}{{,redacted_thinking}}.data"), Leaf::Opaque(Skipped::Encrypted));
        check(
            &format!("{block}{{,web_search_tool_result}}.content[0].encrypted_content"),
            Leaf::Opaque(Skipped::Encrypted),
        );
        text("messages[1]{user}.content[0]{,thinking}.thinking", Source::User);
        text("messages[1]{user}.content[0]{,text}.signature", Source::User);
        check("messages[0]{user}.content[0]{,image}.source{,base64}.data", Leaf::Opaque(Skipped::Media));
        check("messages[0]{user}.content[0]{,image}.source.data", Leaf::Opaque(Skipped::Media));
        check(
            "messages[0]{user}.content[0]{,tool_result}.content[0]{,image}.source{,base64}.data",
            Leaf::Opaque(Skipped::Media),
        );
        text("messages[0]{user}.content[0]{,image}.source{,base64}.media_type", Source::Metadata);
        text("messages[0]{user}.content[0]{,document}.source{,text}.data", Source::Document);
        text("messages[0]{user}.content[0]{,document}.source{,content}.content[0]{,text}.text", Source::Document);
        text("messages[0]{user}.content[0]{,document}.title", Source::Document);
    }

    #[test]
    fn batches_and_answers() {
        check("requests[4].params.model", Leaf::Model);
        text("requests[4].custom_id", Source::Metadata);
        text("requests[4].params.messages[0]{user}.content", Source::User);
        text("requests[4].params.messages[0]{user}.content[0]{,tool_result}.content", Source::ToolResult);
        text("requests[4].params.system", Source::System);
        text("content[0]{,text}.text", Source::Assistant);
        text("{assistant}content[0]{,tool_use}.input.a", Source::ToolInput);
        check("content[0]{,thinking}.thinking", Leaf::Sealed(Source::Assistant));
        text("result.message.content[0]{,text}.text", Source::Assistant);
        text("id", Source::Metadata);
    }
}

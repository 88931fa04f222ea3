//! Where text sits in OpenAI's requests and answers, and who wrote it. Items of Responses are in `item.rs`.

use super::item;
use crate::domain::{Skipped, Source};
use crate::providers::{Leaf, Role, Scope};
use crate::wire::json::Step::{self, Index, Key};

/// What the string at `steps` is. Nothing is skipped: a place that is not known is text of the nearest author.
pub(super) fn classify(steps: &[Step], scopes: &[Scope]) -> Leaf {
    let Some((Key(key), rest)) = steps.split_first() else { return Leaf::Text(Source::Metadata) };
    match (key.as_str(), rest) {
        ("model", []) => Leaf::Model,
        ("messages", [Index(_), rest @ ..]) => message(rest, from(scopes, 2), Source::ToolResult),
        ("choices", [Index(_), Key(key), rest @ ..]) if key == "message" => {
            match rest {
                // As in a stream: the model's reasoning passes as it is.
                [Key(key)] if key == "reasoning_content" || key == "reasoning" => Leaf::Sealed(Source::Assistant),
                _ => message(rest, from(scopes, 3), Source::Assistant),
            }
        }
        ("choices", [Index(_), Key(key), ..]) if key == "text" || key == "logprobs" => Leaf::Text(Source::Assistant),
        ("input", [] | [Index(_)]) => Leaf::Text(Source::User),
        ("input", [Index(_), rest @ ..]) => item::classify(rest, from(scopes, 2), Source::ToolResult),
        ("output", [Index(_), rest @ ..]) => item::classify(rest, from(scopes, 2), Source::Assistant),
        ("data", [Index(_), Key(key)]) if key == "embedding" => Leaf::Opaque(Skipped::Media),
        ("data", [Index(_), Key(key)]) if is_label(key) => Leaf::Text(Source::Metadata),
        ("data", [Index(_), rest @ ..]) => item::classify(rest, from(scopes, 2), Source::ToolResult),
        ("instructions", _) => Leaf::Text(Source::System),
        ("output_text", []) => Leaf::Text(Source::Assistant),
        ("prompt", [Key(key)]) if key == "id" || key == "version" => Leaf::Text(Source::Metadata),
        ("prompt" | "suffix" | "prediction", _) => Leaf::Text(Source::User),
        ("tools" | "functions" | "additional_tools", _) => Leaf::Text(Source::ToolSchema),
        _ => Leaf::Text(Source::Metadata),
    }
}

/// A string inside a chat message. An author not read yet is `unread`.
fn message(steps: &[Step], scopes: &[Scope], unread: Source) -> Leaf {
    let source = author(scopes.first(), unread);
    match steps {
        [Key(key), Index(_), rest @ ..] if key == "content" => part(rest, source),
        [Key(key), rest @ ..] if key == "tool_calls" || key == "function_call" => match rest.last() {
            Some(Key(last)) if matches!(last.as_str(), "id" | "type" | "name") => Leaf::Text(Source::Metadata),
            _ => Leaf::Text(Source::ToolInput),
        },
        [Key(audio), Key(data)] if audio == "audio" && data == "data" => Leaf::Opaque(Skipped::Media),
        [Key(key)] if is_label(key) => Leaf::Text(Source::Metadata),
        _ => Leaf::Text(source),
    }
}

/// A string inside one part of a content; the part may be a bare string.
pub(super) fn part(steps: &[Step], source: Source) -> Leaf {
    match steps {
        [Key(key)] if matches!(key.as_str(), "image_url" | "file_data") => Leaf::Opaque(Skipped::Media),
        [Key(outer), Key(key)] if is_media(outer, key) => Leaf::Opaque(Skipped::Media),
        [Key(key)] if key == "encrypted_content" => Leaf::Opaque(Skipped::Encrypted),
        [.., Key(key)] if is_label(key) || matches!(key.as_str(), "detail" | "format" | "file_id") => {
            Leaf::Text(Source::Metadata)
        }
        _ => Leaf::Text(source),
    }
}

fn is_media(outer: &str, key: &str) -> bool {
    matches!((outer, key), ("image_url", "url") | ("input_audio", "data") | ("file", "file_data"))
}

/// The author by the `role` of the message or item.
pub(super) fn author(scope: Option<&Scope>, unread: Source) -> Source {
    match scope.and_then(|scope| scope.role) {
        Some(Role::User) => Source::User,
        Some(Role::Assistant) => Source::Assistant,
        Some(Role::System) => Source::System,
        Some(Role::Tool | Role::Other) => Source::ToolResult,
        None => unread,
    }
}

/// Members that name and number things.
pub(super) fn is_label(key: &str) -> bool {
    matches!(
        key,
        "type" | "role" | "id" | "name" | "status" | "call_id" | "tool_call_id" | "object" | "phase" | "server_label"
    )
}

pub(super) fn from(scopes: &[Scope], depth: usize) -> &[Scope] {
    scopes.get(depth..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::fixture::place;

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
        text("user", Source::Metadata);
        text("metadata.topic", Source::Metadata);
        text("tools[0].function.parameters.properties.a.description", Source::ToolSchema);
        text("functions[0].description", Source::ToolSchema);
        text("prompt", Source::User);
        text("prompt[3]", Source::User);
        text("prompt.variables.name.text", Source::User);
        text("prompt.id", Source::Metadata);
        text("suffix", Source::User);
        text("prediction.content[0]{,text}.text", Source::User);
        text("input", Source::User);
        text("input[7]", Source::User);
        text("instructions", Source::System);
        text("novelty[0].a", Source::Metadata);
        text("", Source::Metadata);
    }

    #[test]
    fn chat_messages() {
        text("messages[0]{system}.content", Source::System);
        text("messages[0]{developer}.content", Source::System);
        text("messages[0]{user}.content", Source::User);
        text("messages[0]{user}.content[0]{,text}.text", Source::User);
        text("messages[0]{user}.content[0]{,text}.type", Source::Metadata);
        text("messages[0]{user}.name", Source::Metadata);
        text("messages[0]{user}.novelty.deep", Source::User);
        text("messages[1]{assistant}.content", Source::Assistant);
        text("messages[1]{assistant}.reasoning_content", Source::Assistant);
        text("messages[1]{assistant}.tool_calls[0]{,function}.function.arguments", Source::ToolInput);
        text("messages[1]{assistant}.tool_calls[0]{,custom}.custom.input", Source::ToolInput);
        text("messages[1]{assistant}.tool_calls[0]{,function}.function.name", Source::Metadata);
        text("messages[1]{assistant}.tool_calls[0]{,function}.id", Source::Metadata);
        text("messages[1]{assistant}.function_call.arguments", Source::ToolInput);
        text("messages[2]{tool}.content", Source::ToolResult);
        text("messages[2]{tool}.content[0]{,text}.text", Source::ToolResult);
        text("messages[2]{tool}.tool_call_id", Source::Metadata);
        text("messages[2]{function}.content", Source::ToolResult);
        text("messages[2].content", Source::ToolResult);
    }

    #[test]
    fn media() {
        check("messages[0]{user}.content[1]{,image_url}.image_url.url", Leaf::Opaque(Skipped::Media));
        check("messages[0]{user}.content[1]{,input_audio}.input_audio.data", Leaf::Opaque(Skipped::Media));
        check("messages[0]{user}.content[1]{,file}.file.file_data", Leaf::Opaque(Skipped::Media));
        text("messages[0]{user}.content[1]{,file}.file.filename", Source::User);
        check("messages[1]{assistant}.audio.data", Leaf::Opaque(Skipped::Media));
        text("messages[1]{assistant}.audio.transcript", Source::Assistant);
    }

    #[test]
    fn answers() {
        text("choices[0].message{assistant}.content", Source::Assistant);
        text("choices[0].message.content", Source::Assistant);
        check("choices[0].message{assistant}.reasoning_content", Leaf::Sealed(Source::Assistant));
        check("choices[0].message.reasoning", Leaf::Sealed(Source::Assistant));
        text("choices[0].message.tool_calls[0].function.arguments", Source::ToolInput);
        text("choices[0].text", Source::Assistant);
        text("choices[0].logprobs.content[0].token", Source::Assistant);
        text("choices[0].finish_reason", Source::Metadata);
        check("data[0].embedding", Leaf::Opaque(Skipped::Media));
        text("data[0].id", Source::Metadata);
        text("data[0]{user,message}.content[0]{,input_text}.text", Source::User);
    }
}

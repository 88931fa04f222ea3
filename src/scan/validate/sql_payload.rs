//! Whether a value breaks out of its place in a statement and goes on as SQL. SQL that stands for itself does not.
//!
//! A value is read three times: as it stands (it was put in a number's place), and as what stands behind its first
//! single or double quote (it was put between quotes). What follows must then be a condition, another statement, a
//! `UNION` or a comment, in an order that SQL allows: prose and code fail within a few tokens.

use super::sql_tokens::{Token, tokens};
use super::{LOOK_BEHIND_BYTES, Matched};

/// Longest part of a value before the quote that it breaks out of, bytes.
const CONTENT_BYTES_MAX: usize = 40;
/// A string that a value leaves open for the statement around it is short; a longer one is rather a word in quotes.
const BRIEF_BYTES_MAX: usize = 2;
/// Longest name of a URL's parameter, bytes.
const PARAMETER_BYTES_MAX: usize = 40;

/// Words that begin statements.
const STATEMENTS: &[&str] = &[
    "select", "insert", "update", "delete", "drop", "create", "alter", "truncate", "exec", "execute", "declare",
    "shutdown", "waitfor", "grant", "revoke", "call", "copy", "load", "begin", "if", "with", "merge", "replace",
    "explain", "set", "use", "show", "goto", "rename", "handler", "do", "from", "where", "values", "case", "return",
];
/// Words of [`STATEMENTS`] that may be a second statement in a value.
const STACKED: &[&str] = &[
    "select", "insert", "update", "delete", "drop", "create", "alter", "truncate", "exec", "execute", "declare",
    "shutdown", "waitfor", "grant", "call", "copy", "load", "begin", "if", "goto", "rename", "handler",
];
const LOGIC: &[&str] = &["or", "and", "xor", "having", "where"];
const COMPARISONS: &[&str] =
    &["like", "rlike", "regexp", "is", "in", "between", "sounds", "div", "mod", "ilike", "glob", "similar"];
/// Words that may stand before an operand.
const UNARY: &[&str] =
    &["not", "binary", "all", "any", "some", "exists", "distinct", "top", "like", "when", "then", "else"];
/// Functions that wait, fail or reach out: what a value that is read bit by bit calls.
const PROBES: &[&str] = &[
    "sleep",
    "benchmark",
    "pg_sleep",
    "extractvalue",
    "updatexml",
    "load_file",
    "json_keys",
    "randomblob",
    "dbms_pipe",
    "dbms_lock",
    "utl_http",
    "utl_inaddr",
    "xp_cmdshell",
    "xp_dirtree",
    "ctxsys",
    "make_set",
    "elt",
    "exp",
    "gtid_subset",
    "st_latfromgeohash",
    "information_schema",
    "sysobjects",
    "all_tables",
    "sqlite_master",
    "pg_catalog",
    "sp_oacreate",
    "waitfor",
    "rdb$database",
];
/// Functions that take a text apart, as values do that guess it byte by byte.
const SLICERS: &[&str] = &[
    "ascii",
    "ord",
    "substring",
    "substr",
    "mid",
    "left",
    "version",
    "database",
    "user",
    "current_user",
    "system_user",
    "char",
    "chr",
    "unhex",
    "hex",
    "concat",
    "concat_ws",
    "group_concat",
    "length",
    "convert",
    "cast",
    "db_name",
    "if",
];

/// Whether the value around a match is an SQL injection.
pub(super) fn is_sql_payload(matched: &Matched<'_>) -> bool {
    let Matched { before, whole, .. } = *matched;
    let text = [before, whole].concat();
    let starts_here = before.len() < LOOK_BEHIND_BYTES;
    if starts_here && breaks_out(&text) {
        return true;
    }
    let in_json = json_value(before).is_some_and(|from| breaks_out(until_quote(&text[from..])));
    in_json || url_value(before).is_some_and(|from| breaks_out(&unescaped(&text[from..])))
}

/// Where the JSON string begins that is open at the end of `before`, if its value's quote stands there.
fn json_value(before: &[u8]) -> Option<usize> {
    let quotes = before.iter().enumerate().rev().filter(|(_, byte)| **byte == b'"');
    let mut unescaped = quotes.filter(|(at, _)| *at == 0 || before[*at - 1] != b'\\');
    let (at, _) = unescaped.next()?;
    before[..at].trim_ascii_end().ends_with(b":").then_some(at + 1)
}

/// The string's text, up to its closing quote.
fn until_quote(text: &[u8]) -> &[u8] {
    let closes = |at: &usize| text[*at] == b'"' && (*at == 0 || text[*at - 1] != b'\\');
    let end = (0..text.len()).find(closes).unwrap_or(text.len());
    &text[..end]
}

/// Where the value of the last URL parameter in `before` begins.
fn url_value(before: &[u8]) -> Option<usize> {
    let equals = before.iter().rposition(|&byte| byte == b'=').filter(|at| is_parameter(&before[..*at]));
    let earlier = || {
        let at = before.iter().rposition(|&byte| byte == b'?' || byte == b'&')?;
        before[at..]
            .iter()
            .position(|&byte| byte == b'=')
            .map(|length| at + length)
            .filter(|at| is_parameter(&before[..*at]))
    };
    equals.or_else(earlier).map(|at| at + 1)
}

fn is_parameter(text: &[u8]) -> bool {
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(byte);
    let length = text.iter().rev().take(PARAMETER_BYTES_MAX).take_while(is_name).count();
    let name = &text[..text.len() - length];
    length > 0 && (name.ends_with(b"?") || name.ends_with(b"&") && !name.ends_with(b"&&"))
}

/// A URL's parameter up to its end, `+` and `%20` read.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let end = text.iter().position(|byte| b"& \n\t".contains(byte)).unwrap_or(text.len());
    let mut made = Vec::with_capacity(end);
    let mut rest = &text[..end];
    while let [first, tail @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        let (byte, behind) = match (first, tail) {
            (b'+', _) => (b' ', tail),
            (b'%', [high, low, behind @ ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                _ => (*first, tail),
            },
            _ => (*first, tail),
        };
        made.push(byte);
        rest = behind;
    }
    made
}

fn breaks_out(value: &[u8]) -> bool {
    behind_quote(value, b'\'') || behind_quote(value, b'"') || in_number_place(value)
}

/// The value stood between quotes and brings its own closing quote.
fn behind_quote(value: &[u8], quote: u8) -> bool {
    let head = &value[..value.len().min(CONTENT_BYTES_MAX + 1)];
    let Some(end) = head.iter().position(|&byte| byte == quote) else { return false };
    let content = &value[..end];
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-.@%*+\\)".contains(byte) || *byte >= 0x80;
    if !content.iter().all(is_plain)
        || content.last().is_some_and(|byte| *byte == b' ') && !content.trim_ascii().is_empty()
    {
        return false;
    }
    let words = content.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
    let rest = &value[end + 1..];
    // `'and'` is a word in quotes.
    if content.is_empty() && rest.iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count() > 0 {
        let word = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if rest.get(word) == Some(&quote) && rest.get(word + 1).is_none_or(|byte| b" ,.;:)".contains(byte)) {
            return false;
        }
    }
    let after = value.iter().rposition(|&byte| byte == quote).map_or(0, |at| value.len() - at - 1);
    let mut reading = Reading::new(tokens(rest), Place::Quotes { words });
    reading.brief = after <= BRIEF_BYTES_MAX;
    reading.goes_on()
}

/// The value stood where a number is due.
fn in_number_place(value: &[u8]) -> bool {
    let row = tokens(value);
    if is_cut_expression(&row) {
        return true;
    }
    let signs =
        row.iter().take_while(|token| matches!(token, Token::Open | Token::Operator(b"-" | b"+" | b"~" | b"!")));
    let first = signs.count();
    let place = match row.get(first) {
        Some(Token::Number) => Place::Number,
        Some(Token::Variable | Token::Text { open: false }) => Place::Name,
        Some(word @ Token::Word(_))
            if !word.is_one_of(STATEMENTS) && !word.is_one_of(LOGIC) && !word.is_one_of(&["union"]) =>
        {
            Place::Name
        }
        _ => return false,
    };
    Reading::new(row[first + 1..].to_vec(), place).goes_on()
}

/// `(1 OR (SELECT @a))--`: an expression in parentheses whose comment cuts off what was to follow.
fn is_cut_expression(row: &[Token<'_>]) -> bool {
    let [Token::Open, body @ .., Token::Cut { told: false }] = row else { return false };
    let mut telling = false;
    body.iter().enumerate().all(|(index, token)| {
        telling |= token.is_one_of(LOGIC) || token.is_one_of(&["select", "binary", "union"]);
        match token {
            Token::Word(_) => {
                let calls =
                    matches!(body.get(index + 1), Some(Token::Open | Token::Word(_))) || token.is_one_of(&["select"]);
                calls || token.is_one_of(LOGIC) || token.is_one_of(UNARY) || token.is_one_of(COMPARISONS)
            }
            Token::Other | Token::Dot | Token::Cut { .. } => false,
            _ => true,
        }
    }) && telling
}

/// Where the value was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between quotes, with so many words before the value's own.
    Quotes { words: usize },
    /// In a number's place, and it begins with one.
    Number,
    /// In a name's place, or nowhere in particular.
    Name,
}

/// The tokens behind a value's first operand, read as what follows an operand in SQL.
struct Reading<'a> {
    row: Vec<Token<'a>>,
    at: usize,
    place: Place,
    /// Whether an operator came that an operand must follow.
    due: bool,
    logic: bool,
    compared: bool,
    /// A number equals a number.
    constant: bool,
    probes: bool,
    slices: bool,
    last_number: bool,
    /// Whether little stands behind the value's last quote.
    brief: bool,
}

/// What reading on came to.
enum Step {
    On,
    /// It is a payload whatever follows.
    Payload,
    /// SQL ends here: in a comment, in an open string, or with the value.
    End {
        closed: bool,
    },
    /// This is no SQL.
    Broken,
}

impl<'a> Reading<'a> {
    fn new(row: Vec<Token<'a>>, place: Place) -> Self {
        Reading {
            row,
            at: 0,
            place,
            due: false,
            logic: false,
            compared: false,
            constant: false,
            probes: false,
            slices: false,
            last_number: place == Place::Number,
            brief: true,
        }
    }

    fn goes_on(mut self) -> bool {
        if self.cuts_at_once() {
            return true;
        }
        loop {
            let step = if self.due { self.operand() } else { self.operator() };
            match step {
                Step::On => {}
                Step::Payload => return true,
                Step::End { closed } => return self.verdict(closed),
                Step::Broken => return self.probes && self.logic && self.place != Place::Name,
            }
        }
    }

    /// `admin'--`: one word, its quote, and nothing but a comment.
    fn cuts_at_once(&self) -> bool {
        let Place::Quotes { words: 1 } = self.place else { return false };
        let closes = self.row.iter().take_while(|token| **token == Token::Close).count();
        matches!(self.row[closes..], [Token::Cut { told: false }])
    }

    fn verdict(&self, closed: bool) -> bool {
        match self.place {
            Place::Quotes { .. } if self.logic => closed && self.brief || self.compared || self.probes || self.slices,
            Place::Quotes { .. } => self.compared && closed || self.probes,
            Place::Number if self.logic => self.constant || self.probes || self.slices || closed,
            Place::Number => self.probes,
            Place::Name => self.logic && (self.constant || self.probes),
        }
    }

    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.row.get(self.at + ahead).copied()
    }

    fn next_is(&self, ahead: usize, words: &[&str]) -> bool {
        self.peek(ahead).is_some_and(|token| token.is_one_of(words))
    }

    fn operator(&mut self) -> Step {
        let Some(token) = self.peek(0) else { return Step::End { closed: false } };
        self.at += 1;
        match token {
            Token::Close => Step::On,
            Token::Cut { .. } => Step::End { closed: true },
            Token::Comma if self.place == Place::Number && self.next_is(0, &["select"]) => Step::Payload,
            Token::Comma if self.place != Place::Name => self.operand_due(),
            Token::Operator(sign) => self.sign(sign),
            Token::Semicolon => self.statement(),
            Token::Word(_) if token.is_one_of(LOGIC) => {
                self.logic = true;
                self.last_number = false;
                self.operand_due()
            }
            Token::Word(_) if token.is_one_of(COMPARISONS) => {
                self.compared = true;
                self.operand_due()
            }
            Token::Word(_) if token.is_one_of(&["not"]) && (self.next_is(0, COMPARISONS)) => Step::On,
            Token::Word(_) if token.is_one_of(&["union"]) => self.union(),
            Token::Word(_) => self.clause(token),
            _ => Step::Broken,
        }
    }

    fn operand_due(&mut self) -> Step {
        self.due = true;
        Step::On
    }

    fn sign(&mut self, sign: &[u8]) -> Step {
        match sign {
            b"||" | b"&&" => self.logic = true,
            b"=" | b"<" | b">" | b"<=" | b">=" | b"<>" | b"!=" | b"<=>" => {
                // A value or name that is itself compared is a filter, as tools take them.
                if !matches!(self.place, Place::Quotes { .. }) && !self.logic {
                    return Step::Broken;
                }
                self.compared = true;
                self.constant |= self.last_number && matches!(self.peek(0), Some(Token::Number));
            }
            b"==" | b"===" | b"!==" | b"=>" | b"!" | b"~" => return Step::Broken,
            _ => {}
        }
        self.operand_due()
    }

    fn operand(&mut self) -> Step {
        let Some(token) = self.peek(0) else { return Step::End { closed: false } };
        self.at += 1;
        let mut done = true;
        match token {
            Token::Open | Token::Operator(b"-" | b"+" | b"~" | b"!" | b"*") => done = false,
            Token::Text { open: true } => return Step::End { closed: true },
            Token::Cut { .. } => return Step::End { closed: true },
            Token::Number | Token::Variable | Token::Text { .. } | Token::Close => {}
            Token::Word(_) if token.is_one_of(&["select"]) => return self.subselect(),
            Token::Word(_) if token.is_one_of(&["union"]) => return self.union(),
            Token::Word(_) if token.is_one_of(&["case"]) => self.probes |= self.next_is(0, &["when"]),
            Token::Word(_) if token.is_one_of(UNARY) || token.is_one_of(&["null"]) && self.next_is(0, &["and"]) => {
                done = token.is_one_of(&["null"]);
            }
            Token::Word(_) => self.name(token),
            _ => return Step::Broken,
        }
        self.last_number = token == Token::Number;
        self.due = !done;
        Step::On
    }

    /// A name, its dots, and its call if it is a function's.
    fn name(&mut self, token: Token<'a>) {
        let mut token = token;
        self.probes |= token.is_one_of(PROBES);
        while self.peek(0) == Some(Token::Dot) {
            self.at += 1;
            token = self.peek(0).unwrap_or(Token::Dot);
            self.at += 1;
            self.probes |= token.is_one_of(PROBES);
        }
        if self.peek(0) != Some(Token::Open) {
            self.slices |= token.is_one_of(&["current_user", "system_user"]);
            return;
        }
        self.slices |= token.is_one_of(SLICERS);
        let mut depth = 0;
        while let Some(inner) = self.peek(0) {
            self.at += 1;
            self.probes |= inner.is_one_of(PROBES);
            match inner {
                Token::Open => depth += 1,
                Token::Close if depth == 1 => return,
                Token::Close => depth -= 1,
                _ => {}
            }
        }
    }

    /// A query in an operand's place, behind a break-out.
    fn subselect(&mut self) -> Step {
        let telling = self.logic || self.compared || matches!(self.place, Place::Quotes { .. });
        if telling && self.place != Place::Name { Step::Payload } else { Step::Broken }
    }

    /// Behind a `;`.
    fn statement(&mut self) -> Step {
        let first = self.peek(0);
        let begins = first.is_some_and(|token| token.is_one_of(STACKED));
        let probes = self.row[self.at..].iter().any(|token| token.is_one_of(PROBES) || *token == Token::Variable);
        // "exec will decide" is prose; a procedure has dots in its name or takes something.
        let called = |token: &Token<'_>| matches!(token, Token::Text { .. } | Token::Dot | Token::Open);
        let goes_on = if self.next_is(0, &["exec", "execute", "begin", "do", "call", "if", "copy", "load"]) {
            probes || self.row[self.at..].iter().any(called)
        } else {
            self.peek(1).is_some() || self.next_is(0, &["shutdown"])
        };
        match self.place {
            Place::Quotes { .. } | Place::Number if begins && goes_on => Step::Payload,
            Place::Name if begins && probes => Step::Payload,
            _ if first.is_none() => Step::End { closed: false },
            _ => Step::Broken,
        }
    }

    /// Behind `union`: what a value selects are constants, secrets, or columns counted out.
    fn union(&mut self) -> Step {
        let skip = self.row[self.at..].iter().take_while(|token| **token == Token::Open || token.is_one_of(UNARY));
        self.at += skip.count();
        if !self.next_is(0, &["select"]) {
            return Step::Broken;
        }
        self.at += 1;
        while self.peek(0) == Some(Token::Open) || self.next_is(0, UNARY) {
            self.at += 1;
        }
        let constant = match self.peek(0) {
            Some(Token::Number | Token::Text { .. } | Token::Variable | Token::Operator(_)) => true,
            Some(word) => word.is_one_of(&["null", "char", "concat", "version", "database", "user", "load_file"]),
            None => false,
        };
        let rest = &self.row[self.at.min(self.row.len())..];
        let telling =
            constant || rest.iter().any(|token| token.is_one_of(PROBES) || matches!(token, Token::Cut { .. }));
        let column = match (self.peek(0), self.peek(1)) {
            (Some(Token::Word(_) | Token::Open), Some(Token::Word(_))) => self.next_is(1, &["from", "as"]),
            (Some(Token::Word(_)), Some(Token::Other)) => false,
            (Some(Token::Word(_)), _) => true,
            _ => false,
        };
        let payload = telling || self.place != Place::Name && column;
        if payload { Step::Payload } else { Step::Broken }
    }

    /// A clause of the statement that the value goes on with.
    fn clause(&mut self, token: Token<'a>) -> Step {
        let name = self.place == Place::Name;
        let rest = &self.row[self.at..];
        if token.is_one_of(&["into"]) && self.next_is(0, &["outfile", "dumpfile"]) {
            return Step::Payload;
        }
        if token.is_one_of(&["procedure"]) && self.next_is(0, &["analyse"])
            || token.is_one_of(&["waitfor"]) && self.next_is(0, &["delay", "time"])
        {
            return Step::Payload;
        }
        if token.is_one_of(&["order", "group"]) && self.next_is(0, &["by"]) && !name {
            self.at += 1;
            self.logic = true;
            return self.operand_due();
        }
        if token.is_one_of(&["limit", "offset", "collate"]) && !name {
            return self.operand_due();
        }
        let probes =
            |token: &Token<'_>| token.is_one_of(PROBES) || *token == Token::Variable || token.is_one_of(&["select"]);
        let goes_on = token.is_one_of(STACKED) && !name && rest.iter().any(probes);
        if goes_on { Step::Payload } else { Step::Broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_payload(value: &str) -> bool {
        is_sql_payload(&Matched::new(value.as_bytes(), &(0..value.len()), &(0..value.len())))
    }

    #[test]
    fn values_that_go_on_as_sql_are_payloads() {
        let values = [
            "anna' or 'k'='k",
            "anna' or 5 > 3 -- ",
            "anna')) or (('q'='q",
            "anna'--",
            "x%' and sleep(4) and 'a' like 'a",
            "8 or 2=2",
            "8) and (select 1 from pins) > (0",
            "8/**/UNION/**/SELECT/**/pin,2/**/from/**/cards",
            "8; drop table cards",
            "anna'; update cards set pin = 0; --",
            "anna' into outfile '/srv/www/a.php",
            "(1 or (select @a))--",
        ];
        for value in values {
            assert!(is_payload(value), "{value}");
        }
    }

    #[test]
    fn sql_code_and_prose_are_not() {
        let values = [
            "SELECT a FROM t WHERE b = 'x' OR c = 'y'",
            "select id from a union select id from b",
            "status = 'open' or status = 'new'",
            "id > 5 and 1=1",
            "1=1 and state = 'open'",
            "name or 'unknown'",
            "'and', 'or' and 'not'",
            "don't or won't",
            "the users' and the admins' rights",
            "6\" or 8\" wide",
            "6 or 8 metal buttons",
            "print(' or ')",
            "foo' or 'bar",
            "x = y or 1",
            "it's 5 o'clock -- really",
            "1; exec will decide",
            "",
            "'",
            "\"'\\",
        ];
        for value in values {
            assert!(!is_payload(value), "{value}");
        }
    }

    #[test]
    fn a_value_inside_json_or_a_url_is_read_from_its_own_start() {
        let padding = "a".repeat(LOOK_BEHIND_BYTES);
        for (text, expected) in [
            ("{\"note\": \"plain\", \"id\": \"7' or '1'='1\"}", true),
            ("curl https://shop.test/list?page=1&id=7%27+or+%271%27=%271", true),
            ("{\"note\": \"it is what it is\", \"id\": \"7 or 8 pieces\"}", false),
        ] {
            let whole = format!("{padding} {text}");
            let at = whole.find(" or").or_else(|| whole.find("+or")).map_or(0, |at| at - 1);
            let matched = Matched::new(whole.as_bytes(), &(at..whole.len()), &(at..whole.len()));
            assert_eq!(is_sql_payload(&matched), expected, "{text}");
        }
    }
}

//! Values that are pieces of something else: of a style sheet, a program, a template or a form.
//!
//! A separator and a word that names a secret stand in all of them. What follows is no secret, however random it looks.

/// Selectors of style sheets that stand behind a name and a colon.
const PSEUDO_CLASSES: [&[u8]; 14] = [
    b"before",
    b"after",
    b"hover",
    b"focus",
    b"active",
    b"checked",
    b"disabled",
    b"enabled",
    b"not",
    b"placeholder",
    b"root",
    b"first-child",
    b"last-child",
    b"nth",
];

/// Functions of deployment templates, behind a bracket.
const TEMPLATE_CALLS: [&[u8]; 6] =
    [b"parameters(", b"variables(", b"concat(", b"reference(", b"listkeys(", b"resourceid("];

/// Parts of names in capitals that are names of variables.
const VARIABLE_PARTS: [&[u8]; 10] =
    [b"KEY", b"TOKEN", b"SECRET", b"PASSWORD", b"PASS", b"API", b"BASE", b"VERSION", b"URL", b"CREDENTIALS"];

/// Whether `value` is a piece of source text. `quoted` says that it stands in a literal.
pub(in crate::scan) fn is_source(value: &[u8], quoted: bool) -> bool {
    let bare = !quoted && (is_selector(value) || opens_block(value) || is_type(value) || is_operation(value));
    bare || goes_on(value) || is_template(value) || quoted && is_label(value)
}

/// Whether `value` is the name of a variable: `AZURE_OPENAI_API_KEY`.
pub(super) fn is_variable_name(value: &[u8]) -> bool {
    let plain =
        |part: &[u8]| !part.is_empty() && part.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    value.first().is_some_and(u8::is_ascii_uppercase)
        && value.contains(&b'_')
        && value.split(|byte| *byte == b'_').all(plain)
        && value.split(|byte| *byte == b'_').any(|part| VARIABLE_PARTS.contains(&part))
}

/// `[parameters('x')]`, `$cfg['x`, `%{string:x}`, `@DB_PASSWORD@`, `str:{{`.
pub(super) fn is_template(value: &[u8]) -> bool {
    let call = |rest: &[u8]| TEMPLATE_CALLS.iter().any(|name| begins(rest, name));
    let variable = |rest: &[u8]| is_capital_name(rest.strip_suffix(b"@").unwrap_or(rest));
    let lookup = |rest: &[u8]| {
        let name = name_bytes(rest);
        let key = |byte: &u8| byte.is_ascii_alphabetic() || b"'\"$".contains(byte);
        name > 1 && rest.get(name) == Some(&b'[') && rest.get(name + 1).is_none_or(key)
    };
    value.strip_prefix(b"[").is_some_and(call)
        || value.strip_prefix(b"@").is_some_and(variable)
        || value.strip_prefix(b"$").is_some_and(lookup)
        || value.strip_prefix(b"%{").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_alphabetic))
        || value.ends_with(b"{{")
}

/// `hover{color:red`, `before,`, `not(.open`.
fn is_selector(value: &[u8]) -> bool {
    let class = |name: &&[u8]| value.starts_with(name) && selects(&value[name.len()..]);
    PSEUDO_CLASSES.iter().any(class)
}

/// What may stand behind the name of a pseudo-class.
fn selects(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-(".contains(byte)).count();
    matches!(rest.get(name), Some(b'{' | b',' | b':' | b')'))
}

/// `Secret{`, `Secret{ObjectMeta:m`: a name, a brace, and nothing or a field.
fn opens_block(value: &[u8]) -> bool {
    let name = path_bytes(value);
    let Some(rest) = value[name..].strip_prefix(b"{") else { return false };
    let field = rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    name > 0 && (rest.is_empty() || field > 0 && rest.get(field) == Some(&b':'))
}

/// `swarmtypes.Secret`, `ed25519.Ed25519PrivateKey`: a package and a name in words that begin with capitals.
fn is_type(value: &[u8]) -> bool {
    let Some(dot) = value.iter().position(|byte| *byte == b'.') else { return false };
    let (package, name) = (&value[..dot], &value[dot + 1..]);
    let plain = |name: &[u8]| name.iter().all(u8::is_ascii_alphanumeric);
    let capitals = name.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let small = name.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let ends_word = |pair: &[u8]| pair[0].is_ascii_uppercase() && !pair[1].is_ascii_lowercase();
    plain(package)
        && plain(name)
        && package.first().is_some_and(u8::is_ascii_lowercase)
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && small >= 3 * capitals
        && !name.windows(2).any(ends_word)
}

/// `t.client_secret??null`, `e.type?(0`.
fn is_operation(value: &[u8]) -> bool {
    let name = path_bytes(value);
    name > 0 && [&b"??"[..], b"?("].iter().any(|sign| value[name..].starts_with(sign))
}

/// `+fmt.Sprintf(`: the literal in front was only the beginning of a text.
fn goes_on(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"+") else { return false };
    let rest = rest.trim_ascii_start();
    let name = path_bytes(rest);
    name > 0 && rest.get(name) == Some(&b'(')
}

/// The words beside a field: `Lozinka:`, and what is written in escapes.
fn is_label(value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    let escapes = memchr::memmem::find_iter(value, b"\\u").count();
    let caption = value.strip_suffix(b":").is_some_and(|text| text.iter().all(u8::is_ascii_alphabetic));
    caption && !digits || escapes > 1 && 2 * 6 * escapes >= value.len()
}

fn is_capital_name(name: &[u8]) -> bool {
    name.contains(&b'_') && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
}

fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Bytes of the name that `text` begins with.
fn name_bytes(text: &[u8]) -> usize {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if text.first().is_some_and(u8::is_ascii_digit) { 0 } else { name }
}

/// The same of a name with dots or dashes in it.
fn path_bytes(text: &[u8]) -> usize {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.$".contains(byte)).count();
    if text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') { name } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_programs_and_style_sheets() {
        for value in [
            "hover{color:red",
            "before{content:",
            "focus:not",
            "swarmtypes.Secret{",
            "corev1.Secret{ObjectMeta:",
            "ed25519.Ed25519PrivateKey",
            "t.client_secret??null",
            "e.type?(0",
            "+fmt.Sprintf(",
        ] {
            assert!(is_source(value.as_bytes(), false), "{value}");
        }
    }

    #[test]
    fn pieces_of_templates_and_forms() {
        for value in [
            "[parameters('adminPassword')]",
            "[concat(variables('a'), 'b')]",
            "@ESXI1_PASSWORD",
            "@DB_PASSWORD@",
            "$cfg['secret1']",
            "%{string:Tmp1}",
            "Lozinka:",
            "\\u041f\\u0430\\u0440\\u043e\\u043b\\u044c",
        ] {
            assert!(is_source(value.as_bytes(), true), "{value}");
        }
        assert!(is_source(b"str:{{", false));
    }

    #[test]
    fn what_may_be_a_secret() {
        for value in
            ["q8Zr{2LmX9", "hover2024!", "a8f3.K2lQ9zR", "+q8Zr2LmX9", "@dmin_2024", "$ecret[9]x", "Zr{a}9:", "[q8Zr2]"]
        {
            assert!(!is_source(value.as_bytes(), false), "{value}");
            assert!(!is_source(value.as_bytes(), true), "{value}");
        }
    }

    #[test]
    fn names_of_variables() {
        for name in ["AZURE_OPENAI_API_KEY", "KRB5_PASSWORD", "API_BASE_2"] {
            assert!(is_variable_name(name.as_bytes()), "{name}");
        }
        for value in ["", "PASSWORD", "A1B2_C3D4", "DB_Password", "_KEY", "API__KEY"] {
            assert!(!is_variable_name(value.as_bytes()), "{value}");
        }
    }
}

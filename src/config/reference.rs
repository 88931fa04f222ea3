//! `${NAME}` and `file:/path` inside of values. What they stand for is asked from a function that is handed in.

/// Longest text that a reference may stand for, bytes.
const RESOLVED_BYTES_MAX: usize = 64 << 10;
/// Largest fingerprint file, bytes.
const FINGERPRINTS_BYTES_MAX: usize = 32 << 20;

/// Longest rule file, bytes.
const RULE_FILE_BYTES_MAX: usize = 1 << 20;

/// Something outside of the configuration that a value refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `${NAME}`: an environment variable.
    Environment(String),
    /// `file:/path`, an `api_key_file` or one of `rules`: the contents of a file.
    File(String),
    /// A path in `known_secrets.files`: a fingerprint file, which may be larger than other files.
    Fingerprints(String),
}

/// Answers what a reference stands for, or why it cannot. The reason is shown; it must not hold the value.
pub type Resolve<'a> = dyn Fn(&Reference) -> Result<String, String> + 'a;

/// Replaces every `${NAME}` and `${NAME:-default}` in `text`; `$$` is a dollar sign. What comes in is not read again.
pub(super) fn expand(text: &str, resolve: &Resolve<'_>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some(end) = inside.find('}') else {
                return Err("`${` without its closing `}`; write `$$` for a dollar sign".to_owned());
            };
            expanded.push_str(&variable(&inside[..end], resolve)?);
            rest = &inside[end + 1..];
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn variable(inside: &str, resolve: &Resolve<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let named = name.bytes().all(|it| it == b'_' || it.is_ascii_alphanumeric());
    if !named || name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
        return Err("the name between `${` and `}` is not that of an environment variable".to_owned());
    }
    match (bounded(resolve, &Reference::Environment(name.to_owned())), default) {
        (Ok(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Ok(value), _) => Ok(value),
        (Err(_), Some(default)) => Ok(default.to_owned()),
        (Err(reason), None) => Err(format!("`${{{name}}}` cannot be resolved: {reason}")),
    }
}

/// The contents of a file, without the line end that editors leave.
pub(super) fn contents(path: &str, resolve: &Resolve<'_>) -> Result<String, String> {
    if path.is_empty() {
        return Err("`file:` without a path".to_owned());
    }
    let text = bounded(resolve, &Reference::File(path.to_owned()))
        .map_err(|reason| format!("the file `{path}` cannot be read: {reason}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The text of a rule file.
pub(super) fn rule_file(path: &str, resolve: &Resolve<'_>) -> Result<String, String> {
    match resolve(&Reference::File(path.to_owned())) {
        Ok(text) if text.len() > RULE_FILE_BYTES_MAX => Err(format!("the file `{path}` is longer than 1 MiB")),
        Ok(text) => Ok(text),
        Err(reason) => Err(format!("the file `{path}` cannot be read: {reason}")),
    }
}

/// The text of a fingerprint file.
pub(super) fn fingerprints(path: &str, resolve: &Resolve<'_>) -> Result<String, String> {
    let text = resolve(&Reference::Fingerprints(path.to_owned()));
    match text.map_err(|reason| format!("the file `{path}` cannot be read: {reason}"))? {
        text if text.len() > FINGERPRINTS_BYTES_MAX => Err(format!("the file `{path}` is larger than 32 MiB")),
        text => Ok(text),
    }
}

fn bounded(resolve: &Resolve<'_>, reference: &Reference) -> Result<String, String> {
    match resolve(reference)? {
        text if text.len() > RESOLVED_BYTES_MAX => Err("it is longer than 64 KiB".to_owned()),
        text => Ok(text),
    }
}

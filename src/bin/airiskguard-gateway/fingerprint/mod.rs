//! `fingerprint`: the company's own secrets in, keyed fingerprints out. No secret is ever shown.

mod values;

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use airiskguard_gateway::config::Reference;
use airiskguard_gateway::domain::{Fingerprint as Digest, Secret};
use airiskguard_gateway::scan::known::{
    Entry, FINGERPRINTS_MAX, FingerprintKey, Kind, SECRET_BYTES_MAX, SECRET_BYTES_MIN, write,
};

use crate::arguments::{Fingerprint, Format};
use crate::{configuration, scan};
use values::Value;

/// Where the key is looked for without `--key-file`.
const KEY_VARIABLE: &str = "AIRISKGUARD_FINGERPRINT_KEY";
/// Notes that are shown one by one; the rest is counted.
const NOTES_MAX: usize = 50;

/// Runs the command: fingerprints to `out` or into a file, what was not taken to standard error.
pub(crate) fn run(arguments: &Fingerprint, out: &mut dyn Write) -> Result<u8, String> {
    let key = FingerprintKey::new(&key(arguments.key_file.as_deref())?);
    let mut values = Vec::new();
    for path in paths(arguments) {
        values.extend(read(&path, arguments.format)?);
    }
    let text = match arguments.digest {
        true => digests(&key, &values),
        false => {
            let (entries, notes) = entries(&key, arguments, &values)?;
            tell(&notes, entries.len());
            write(&key, &entries)
        }
    };
    match &arguments.output {
        None => out.write_all(text.as_bytes()).map_err(|error| error.to_string())?,
        Some(path) => {
            let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
    }
    Ok(0)
}

fn key(file: Option<&Path>) -> Result<Secret, String> {
    let text = match file {
        Some(path) => configuration::resolve(&Reference::File(path.display().to_string())),
        None => configuration::resolve(&Reference::Environment(KEY_VARIABLE.into())).map_err(|reason| {
            format!("{reason}: set it to the key of the fingerprints, or name a file with --key-file")
        }),
    };
    let key = text?.trim().to_owned();
    match key.len() < Digest::KEY_CHARS_MIN {
        true => Err(format!(
            "this key can be guessed: expected {} random characters at least, such as `openssl rand -hex 32` prints",
            Digest::KEY_CHARS_MIN
        )),
        false => Ok(Secret::new(key)),
    }
}

fn paths(arguments: &Fingerprint) -> Vec<PathBuf> {
    if arguments.paths.is_empty() { vec!["-".into()] } else { arguments.paths.clone() }
}

fn read(path: &Path, format: Option<Format>) -> Result<Vec<Value>, String> {
    let origin = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
    let of_file = |what: String| format!("{origin}: {what}");
    let bytes = scan::read(path).map_err(|error| of_file(format!("cannot read it: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| of_file("this is not UTF-8 text".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    values::read(text, format.unwrap_or_else(|| format_of(path)), &origin).map_err(of_file)
}

/// The format that a file's name tells.
fn format_of(path: &Path) -> Format {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
    match name.rsplit('.').next() {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        Some("env") => Format::Env,
        _ if name.starts_with(".env") => Format::Env,
        _ => Format::Lines,
    }
}

/// The entries of the values that are taken, and what is to be said of the others.
fn entries(
    key: &FingerprintKey,
    arguments: &Fingerprint,
    values: &[Value],
) -> Result<(Vec<Entry>, Vec<String>), String> {
    let kind = if arguments.canary { Kind::Canary } else { Kind::Secret };
    let (mut entries, mut notes, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for it in values {
        let (text, place) = (it.text.expose(), &it.place);
        // A list of secrets says that each is one; a tree or an environment holds other things, too.
        let length_min = if it.is_listed { SECRET_BYTES_MIN } else { arguments.length_min.max(SECRET_BYTES_MIN) };
        if text.len() < length_min {
            match it.is_listed {
                true => refused
                    .push(format!("{place}: shorter than {length_min} bytes, so it would be found in ordinary text")),
                false => notes.push(format!("{place}: skipped, shorter than {length_min} bytes")),
            }
            continue;
        }
        if !arguments.all && values::is_ordinary(text) {
            notes.push(format!("{place}: skipped, reads like ordinary text and would be found there (--all takes it)"));
            continue;
        }
        if text.len() > SECRET_BYTES_MAX {
            notes.push(format!("{place}: of this value the first {SECRET_BYTES_MAX} bytes are looked for"));
        }
        let label = it.name.as_deref().filter(|_| arguments.labels);
        let entry = Entry::new(key, kind, label, text.as_bytes());
        entries.push(entry.map_err(|error| format!("{place}: {error}"))?);
    }
    if !refused.is_empty() {
        return Err(format!("nothing was written:\n{}", shown(&refused)));
    }
    if entries.len() > FINGERPRINTS_MAX {
        return Err(format!("{} values: at most {FINGERPRINTS_MAX} can be looked for", entries.len()));
    }
    Ok((entries, notes))
}

/// A line for each value: its digest, and where it stands.
fn digests(key: &FingerprintKey, values: &[Value]) -> String {
    values.iter().fold(String::new(), |mut text, it| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {}", key.fingerprint(it.text.expose().as_bytes()), it.place);
        text
    })
}

fn tell(notes: &[String], count: usize) {
    let mut error = std::io::stderr();
    // Nothing is left to do about a closed standard error.
    let _ = writeln!(error, "{}{count} fingerprints", shown(notes));
}

fn shown(notes: &[String]) -> String {
    let mut text: String = notes.iter().take(NOTES_MAX).map(|it| format!("{it}\n")).collect();
    if notes.len() > NOTES_MAX {
        let _ = writeln!(text, "and {} more", notes.len() - NOTES_MAX);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Fingerprint {
        Fingerprint {
            paths: Vec::new(),
            format: None,
            labels: true,
            canary: false,
            all: false,
            length_min: 12,
            digest: false,
            key_file: None,
            output: None,
        }
    }

    fn taken(text: &str, format: Format, arguments: &Fingerprint) -> Result<(Vec<String>, Vec<String>), String> {
        let key = FingerprintKey::new(&Secret::new("a key of tests, which is long enough".into()));
        let values = values::read(text, format, "x").unwrap();
        let (entries, notes) = entries(&key, arguments, &values)?;
        Ok((entries.into_iter().map(|it| format!("{:?} {}", it.label, it.length)).collect(), notes))
    }

    #[test]
    fn formats_are_told_by_the_name() {
        for (name, format) in [
            ("export.json", Format::Json),
            ("a/vault.YML", Format::Yaml),
            (".env.production", Format::Env),
            ("prod.env", Format::Env),
            ("secrets.txt", Format::Lines),
            ("-", Format::Lines),
        ] {
            assert_eq!(format_of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn what_is_no_secret_is_left_out_and_told_without_its_value() {
        let env = "NODE_ENV=production-east-1\nSTRIPE_KEY=zk3vQ9xM1pL7rT\nSHORT=q9X!z\n";
        let (entries, notes) = taken(env, Format::Env, &arguments()).unwrap();
        assert_eq!(entries, [r#"Some("STRIPE_KEY") 14"#]);
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("x line 1: skipped, reads like ordinary text"), "{notes:?}");
        assert!(notes[1].starts_with("x line 3: skipped, shorter than 12 bytes"), "{notes:?}");
        assert!(!notes.concat().contains("production") && !notes.concat().contains("q9X"));
        let all = Fingerprint { all: true, labels: false, length_min: 1, ..arguments() };
        assert_eq!(taken(env, Format::Env, &all).unwrap().0, ["None 17", "None 14"]);
    }

    #[test]
    fn a_list_with_a_short_secret_is_refused() {
        let error = taken("zk3vQ9xM1pL7rT\nq9X!z\n", Format::Lines, &arguments()).unwrap_err();
        assert!(error.contains("x line 2: shorter than 8 bytes") && !error.contains("q9X"), "{error}");
    }
}

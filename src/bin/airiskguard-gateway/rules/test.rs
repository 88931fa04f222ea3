//! `rules test`: every rule on its own examples, whole and cut at every byte.

use std::io::Write;
use std::path::PathBuf;

use airiskguard_gateway::checkers::{self, Entry, Prover, RuleText, Trial};

use super::all;
use crate::configuration::read;
use crate::print;

/// Most rule files that are tried at once.
const FILES_MAX: usize = 32;

/// Tries the rules of these files together, as the gateway would load them; without files, the catalogue.
pub(super) fn run(files: &[PathBuf], out: &mut dyn Write) -> Result<u8, String> {
    if files.len() > FILES_MAX {
        return Err(format!("{} files: expected at most {FILES_MAX}", files.len()));
    }
    let entries = if files.is_empty() { catalogue()? } else { own(files)? };
    let hits: usize = entries.iter().map(|it| it.hits.len()).sum();
    let misses: usize = entries.iter().map(|it| it.misses.len()).sum();
    let count = entries.len();
    print(out, &format!("{count} rules: all {hits} hits hit and all {misses} misses miss, however they are cut"))
}

fn own(files: &[PathBuf]) -> Result<Vec<Entry>, String> {
    let mut texts = Vec::new();
    for path in files {
        let text = read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        texts.push((path.display().to_string(), text));
    }
    let texts: Vec<RuleText<'_>> = texts.iter().map(|(origin, text)| RuleText { origin, text }).collect();
    let mut entries = checkers::custom(&texts, Trial::Cut).map_err(|errors| all(&errors))?;
    entries.retain(|it| it.rule.info.checker.name() != "pii");
    Ok(entries)
}

fn catalogue() -> Result<Vec<Entry>, String> {
    let mut entries = checkers::entries().map_err(|error| error.to_string())?;
    entries.retain(|it| it.rule.info.checker.name() != "pii");
    let lines = |errors: Vec<_>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let prover = Prover::new(&entries).map_err(lines)?;
    let mut wrong = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let flaws = prover.flaws(index, true);
        wrong.extend(flaws.iter().map(|flaw| format!("{}: rule `{}`: {flaw}", entry.origin, entry.rule.info.id)));
    }
    if wrong.is_empty() { Ok(entries) } else { Err(wrong.join("\n")) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::run;

    fn said(files: &[PathBuf]) -> Result<String, String> {
        let mut out = Vec::new();
        run(files, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_optional_pack_is_good() {
        let pack = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conf/rules/prohibited_content.yaml");
        assert!(said(&[pack]).unwrap().starts_with("3 rules: "));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.yaml");
        let rule = "- id: house.doors.badge\n  title: Badge\n  risk: high\n  score: 0.9\n  type: BADGE\n  keywords: [badge-]\n  pattern: 'badge-[0-9]{6}'\n  why: It opens doors.\n  hits: [badge-204866]\n  misses:\n    - a badge-771032\n";
        std::fs::write(&path, rule).unwrap();
        let wrong = said(std::slice::from_ref(&path)).unwrap_err();
        let expected = format!("{}:11: rule `house.doors.badge`: `misses`, example 1: the rule finds", path.display());
        assert!(wrong.starts_with(&expected), "{wrong}");
        std::fs::write(&path, rule.replace("a badge-771032", "a badge")).unwrap();
        assert_eq!(said(&[path]).unwrap(), "1 rules: all 1 hits hit and all 1 misses miss, however they are cut\n");
        assert!(said(&[folder.path().join("none.yaml")]).unwrap_err().contains("cannot read"));
    }
}

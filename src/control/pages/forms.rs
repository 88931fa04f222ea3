//! What people type: read, and shown again with what is wrong beside it.

use std::str::FromStr;

use crate::control::{Problem, ProblemKind};

/// What is wrong with a form: beside fields, and about all of it.
#[derive(Default)]
pub(super) struct Mistakes {
    fields: Vec<(&'static str, String)>,
    pub(super) general: String,
    pub(super) listed: Vec<String>,
}

impl Mistakes {
    /// From a refusal. `places` says which words of a refusal belong to which field. What has nothing to do with what was
    /// typed goes on as it is.
    pub(super) fn of(problem: &Problem, places: &[(&'static str, &str)]) -> Result<Mistakes, Problem> {
        let about_input = [ProblemKind::Invalid, ProblemKind::Conflict, ProblemKind::NotFound, ProblemKind::Forbidden];
        if !about_input.contains(&problem.kind) {
            return Err(problem.clone());
        }
        let mut mistakes = Mistakes::default();
        match places.iter().find(|it| problem.detail.contains(it.1)) {
            Some((field, _)) => mistakes.fields.push((field, sentence(&problem.detail))),
            None => mistakes.general = sentence(&problem.detail),
        }
        mistakes.listed.clone_from(&problem.mistakes);
        if mistakes.general.is_empty() && !mistakes.listed.is_empty() {
            mistakes.general = sentence(&problem.detail);
        }
        Ok(mistakes)
    }

    /// What is wrong with this field; empty: nothing.
    pub(super) fn at(&self, field: &str) -> &str {
        self.fields.iter().find(|it| it.0 == field).map_or("", |it| &it.1)
    }
}

/// Refusals begin small and have no full stop; on pages they stand alone.
pub(super) fn sentence(detail: &str) -> String {
    let plain = detail.replace('`', "");
    let mut letters = plain.chars();
    let first: String = letters.next().map(|it| it.to_uppercase().collect()).unwrap_or_default();
    let end = if plain.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// Entries between commas, spaces or ends of lines; `None` where there is none.
pub(super) fn entries(text: &str) -> Option<Vec<String>> {
    let entries: Vec<String> =
        text.split([',', ' ', '\t', '\r', '\n']).filter(|it| !it.is_empty()).map(str::to_owned).collect();
    (!entries.is_empty()).then_some(entries)
}

/// The text without the gaps around it; `None` where there is nothing else.
pub(super) fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The number; `None` where nothing is typed.
pub(super) fn number<T: FromStr>(field: &str, text: &str) -> Result<Option<T>, Problem> {
    let Some(text) = given(text) else { return Ok(None) };
    let number = text.replace(['\u{202f}', ' '], "").parse();
    number.map(Some).map_err(|_| Problem::invalid(format!("`{field}` is no number that can be used here")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_beside_its_field_or_above_the_form() {
        let places = [("name", "the name of")];
        let mistakes = Mistakes::of(&Problem::invalid("the name of a team has 1 to 64 characters"), &places).unwrap();
        assert_eq!(mistakes.at("name"), "The name of a team has 1 to 64 characters.");
        assert!(mistakes.general.is_empty());
        let mistakes = Mistakes::of(&Problem::conflict("it was changed meanwhile"), &places).unwrap();
        assert_eq!((mistakes.at("name"), mistakes.general.as_str()), ("", "It was changed meanwhile."));
        assert!(Mistakes::of(&Problem::new(ProblemKind::Unavailable, "away"), &places).is_err());
    }

    #[test]
    fn what_is_typed_is_read_kindly() {
        assert_eq!(entries(" a, b\r\nc  "), Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        assert_eq!(entries(" ,\n"), None);
        assert_eq!(number::<u32>("days", " 30 ").unwrap(), Some(30));
        assert_eq!(number::<u32>("days", "").unwrap(), None);
        assert!(number::<u32>("days", "-1").is_err());
    }
}

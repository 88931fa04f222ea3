//! Names with `*` as a wildcard, and the models that a team may use.

/// A name in which each `*` stands for any run of characters, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What stands between the stars; one part is a name without a star.
    parts: Vec<String>,
}

impl Pattern {
    /// From its text; every text is a pattern.
    pub fn new(text: &str) -> Self {
        Pattern { parts: text.split('*').map(str::to_owned).collect() }
    }

    /// Whether the whole of `name` fits. Linear in the length of `name`, because each part is taken where it first occurs.
    pub fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|it| it == name);
        };
        let Some(rest) = name.strip_prefix(first.as_str()).and_then(|it| it.strip_suffix(last.as_str())) else {
            return false;
        };
        let mut rest = rest;
        middle.iter().all(|part| match rest.find(part.as_str()) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// The models that a team may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowlist {
    /// Every model when absent.
    patterns: Option<Vec<Pattern>>,
}

impl Allowlist {
    /// From `model_allowlist:`; without one, every model is allowed.
    pub fn new(models: Option<&[String]>) -> Self {
        Allowlist { patterns: models.map(|it| it.iter().map(|model| Pattern::new(model)).collect()) }
    }

    /// Whether the team may use `model`, or the model of which `model` is a dated snapshot: clients ask for
    /// `claude-haiku-4-5-20251001` where an administrator writes `claude-haiku-4-5`.
    pub fn allows(&self, model: &str) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let undated = undated(model);
        patterns.iter().any(|it| it.matches(model) || undated.is_some_and(|undated| it.matches(undated)))
    }
}

/// The name before `-20251001` or `-2024-08-06`.
fn undated(model: &str) -> Option<&str> {
    let shapes = ["-dddddddd", "-dddd-dd-dd"];
    shapes.iter().find_map(|shape| {
        let at = model.len().checked_sub(shape.len())?;
        let date = model.as_bytes().get(at..)?;
        let fits = |(it, shape): (&u8, u8)| if shape == b'd' { it.is_ascii_digit() } else { *it == shape };
        (date.starts_with(b"-2") || date.starts_with(b"-1")).then_some(())?;
        date.iter().zip(shape.bytes()).all(fits).then(|| &model[..at])
    })
}

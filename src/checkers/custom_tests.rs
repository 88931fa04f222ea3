//! Custom rules: what is read, what is refused, and how it is said.
use super::{EXAMPLE_BYTES_MAX, EXAMPLES_MAX, RuleText, Trial, custom};

const HOUSE: &str = "\
- id: house.badges.number
  title: Number of a company badge
  risk: high
  score: 0.9
  type: BADGE_NUMBER
  keywords: [badge-]
  pattern: '\\bbadge-[0-9]{6}\\b'
  redact: true
  why: It opens the doors of the building, so it stays in it.
  hits: [badge-204¦866, 'my badge-771¦032.']
  misses:
    - badge-12
    - a badge-number
";

fn load(text: &str) -> Result<Vec<String>, String> {
    load_all(&[("house.yaml", text)])
}

fn load_all(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let texts: Vec<RuleText<'_>> = files.iter().map(|&(origin, text)| RuleText { origin, text }).collect();
    match custom(&texts, Trial::Cut) {
        Ok(entries) => Ok(entries.into_iter().map(|it| it.rule.info.id).collect()),
        Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[track_caller]
fn refused(from: &str, to: &str) -> String {
    assert!(HOUSE.contains(from), "{from}");
    load(&HOUSE.replace(from, to)).unwrap_err()
}

#[test]
fn rules_are_read_beside_the_catalogue() {
    assert_eq!(load(HOUSE).unwrap(), ["house.badges.number"]);
    assert_eq!(load("").unwrap_or_default(), [""; 0]);
    let own_family = HOUSE.replace("house.badges", "secrets.badges");
    assert_eq!(load(&own_family).unwrap(), ["secrets.badges.number"]);
    let personal = HOUSE.replace("house.badges", "compliance.badges");
    assert_eq!(load(&personal).unwrap(), ["compliance.badges.number", "pii.badges.number"]);
}

#[test]
fn a_hit_that_does_not_hit_is_refused() {
    let said = refused("'my badge-771¦032.'", "'my batch-771032.'");
    assert!(
        said.starts_with(
            "house.yaml:10: rule `house.badges.number`: `hits`, example 2: the rule does not find it. A match starts"
        ),
        "{said}"
    );
    assert!(said.contains("correct these or the example"), "{said}");
}

#[test]
fn a_miss_that_does_not_miss_is_refused_without_being_quoted() {
    let said = refused("a badge-number", "a badge-334455");
    assert!(
        said.starts_with(
            "house.yaml:13: rule `house.badges.number`: `misses`, example 2: the rule finds something in it, at its bytes 2 to 14."
        ),
        "{said}"
    );
    assert!(!said.contains("334455"), "{said}");
}

#[test]
fn every_wrong_example_is_told() {
    let said = load(&HOUSE.replace("badge-12", "badge-121212").replace("badge-204¦866", "nothing")).unwrap_err();
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn unbounded_patterns_are_refused_with_the_reason() {
    for pattern in ["[0-9]+", "[0-9]*", "[0-9]{6,}", "[0-9]{6,9000}"] {
        let said = refused("[0-9]{6}", pattern);
        assert!(
            said.starts_with("house.yaml:1: rule `house.badges.number`: `pattern`: expected matches of 1 to 4096"),
            "{said}"
        );
        assert!(said.contains("(bound every `*` and `+`)"), "{said}");
    }
    assert!(refused("[badge-]", "[batch-]").contains("no match of the pattern can start with the keyword \"batch-\""));
}

#[test]
fn ids_that_are_taken_are_refused() {
    let said = load_all(&[("a.yaml", HOUSE), ("b.yaml", HOUSE)]).unwrap_err();
    assert_eq!(said, "b.yaml:1: rule `house.badges.number`: this id was used before, at a.yaml:1: take another");
    let said = load(&format!("{HOUSE}{HOUSE}")).unwrap_err();
    assert!(said.starts_with("house.yaml:14: ") && said.contains("used before"), "{said}");
    let said = refused("house.badges.number", "secrets.aws.access_key");
    assert!(
        said.contains("the family `secrets.aws` belongs to the built-in catalogue") && said.contains("`secrets.house`"),
        "{said}"
    );
    let said = refused("house.badges.number", "pii.badges.number");
    assert!(said.contains("write `compliance.…`"), "{said}");
}

#[test]
fn the_limits_hold() {
    let said = refused("[badge-204¦866, 'my badge-771¦032.']", "[]");
    assert!(said.contains("`hits`: expected at least one example"), "{said}");
    let many = format!("[{}]", "badge-204866, ".repeat(EXAMPLES_MAX + 1));
    let said = refused("[badge-204¦866, 'my badge-771¦032.']", &many);
    assert!(said.contains("101 hits: expected at most 100"), "{said}");
    let long = format!("[badge-204866, {}]", "x".repeat(EXAMPLE_BYTES_MAX + 1));
    let said = refused("[badge-204¦866, 'my badge-771¦032.']", &long);
    assert!(said.contains("16385 bytes in an example: expected at most 16384"), "{said}");
    let said = load(&format!("# {}\n{HOUSE}", "x".repeat(1 << 20))).unwrap_err();
    assert!(said.starts_with("house.yaml:1: ") && said.contains("expected at most 1048576"), "{said}");
}

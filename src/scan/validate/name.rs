//! Checks as rule files name them: the inverse of reading them.

use std::fmt;

use super::identifier;
use crate::scan::{Confirm, Language};

impl Confirm {
    /// The schemes of `id:<scheme>`.
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        identifier::names()
    }
}

impl fmt::Display for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Confirm::Entropy(bits) => write!(f, "entropy:{bits:?}"),
            Confirm::Identifier(scheme) => {
                write!(f, "id:{}", identifier::names().nth(usize::from(*scheme)).unwrap_or("unknown"))
            }
            Confirm::Code => f.write_str("place: code"),
            Confirm::Quoted => f.write_str("place: quoted"),
            Confirm::Languages(languages) => {
                let spoken = |name: &&str| name.parse::<Language>().is_ok_and(|it| languages.has(it));
                write!(f, "languages: {}", Language::names().filter(spoken).collect::<Vec<_>>().join(", "))
            }
            listed => {
                let is_it = |name: &&&str| name.parse::<Confirm>().is_ok_and(|it| it == *listed);
                match Confirm::NAMES.iter().find(is_it) {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{listed:?}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_named_as_it_was_written() {
        for name in Confirm::NAMES {
            let name = name.replace("<bits>", "3.5").replace("<scheme>", "pl_pesel");
            assert_eq!(name.parse::<Confirm>().unwrap().to_string(), name);
        }
        for scheme in Confirm::schemes() {
            let name = format!("id:{scheme}");
            assert_eq!(name.parse::<Confirm>().unwrap().to_string(), name);
        }
        let languages = ["go", "php"].map(|it| it.parse::<Language>().unwrap());
        assert_eq!(Confirm::Languages(languages.into_iter().collect()).to_string(), "languages: go, php");
    }
}

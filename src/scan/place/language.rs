//! Languages that a rule may be restricted to, by the tag of a fence or the name of a file.

use std::str::FromStr;

/// A language that rules know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Java, and Kotlin, Scala and Groovy, which call the same libraries.
    Java,
    /// Go.
    Go,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// C#, and other languages of its platform.
    CSharp,
    /// C.
    C,
    /// C++.
    Cpp,
    /// Rust.
    Rust,
    /// Shells of Unix.
    Shell,
    /// PowerShell.
    PowerShell,
    /// SQL.
    Sql,
    /// Dockerfile.
    Dockerfile,
    /// Terraform and other HCL.
    Terraform,
    /// YAML: workflows, compose files, manifests.
    Yaml,
    /// A language that is none of these.
    Other,
}

impl Language {
    /// Every language, with the name that rules call it by first, and then the tags and extensions that mean it.
    const ALL: [(Language, &'static [&'static str]); 17] = [
        (Language::Python, &["python", "py", "python3", "python2", "py3", "pyi", "pyw", "pycon", "ipython", "sage"]),
        (
            Language::JavaScript,
            &["javascript", "js", "jsx", "mjs", "cjs", "node", "typescript", "ts", "tsx", "mts", "cts"],
        ),
        (Language::Java, &["java", "kotlin", "kt", "kts", "scala", "groovy", "gradle"]),
        (Language::Go, &["go", "golang"]),
        (Language::Php, &["php", "phtml", "php7", "php8"]),
        (Language::Ruby, &["ruby", "rb", "rake", "gemspec"]),
        (Language::CSharp, &["csharp", "cs", "c#", "dotnet", "vb", "fsharp", "fs"]),
        (Language::C, &["c", "h"]),
        (Language::Cpp, &["cpp", "c++", "cc", "cxx", "hpp", "hh", "hxx", "objectivec", "objc"]),
        (Language::Rust, &["rust", "rs"]),
        (Language::Shell, &["shell", "sh", "bash", "zsh", "ksh", "fish", "console", "shell-session", "shellscript"]),
        (Language::PowerShell, &["powershell", "ps1", "pwsh", "psm1"]),
        (Language::Sql, &["sql", "postgresql", "postgres", "psql", "mysql", "plsql", "tsql", "sqlite", "pgsql"]),
        (Language::Dockerfile, &["dockerfile", "docker", "containerfile"]),
        (Language::Terraform, &["terraform", "tf", "hcl", "tfvars"]),
        (Language::Yaml, &["yaml", "yml"]),
        (Language::Other, &["other"]),
    ];

    /// The name that rules call it by.
    pub fn name(self) -> &'static str {
        let names = Language::ALL.iter().find(|(language, _)| *language == self).map(|(_, names)| names[0]);
        names.unwrap_or("other")
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Language::ALL.iter().map(|(_, names)| names[0])
    }

    /// The language that a tag or an extension means, case ignored.
    pub fn of_tag(tag: &str) -> Option<Language> {
        let means_it = |names: &&[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(tag));
        Language::ALL.iter().find(|(_, names)| means_it(names)).map(|(language, _)| *language)
    }

    /// The language of a file, by its name; `None` where that says nothing.
    pub fn of_path(path: &str) -> Option<Language> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        if name.to_ascii_lowercase().starts_with("dockerfile") {
            return Some(Language::Dockerfile);
        }
        let (_, extension) = name.rsplit_once('.')?;
        Language::of_tag(extension).filter(|language| *language != Language::Other)
    }

    /// Whether `#` begins a comment; `None` where it cannot be said.
    pub(super) fn has_hash_comments(self) -> Option<bool> {
        match self {
            Language::Python | Language::Ruby | Language::Shell | Language::PowerShell | Language::Dockerfile => {
                Some(true)
            }
            Language::Terraform | Language::Yaml | Language::Php => Some(true),
            Language::Other => None,
            _ => Some(false),
        }
    }

    /// Whether `//` and `/*` begin comments; `None` where it cannot be said.
    pub(super) fn has_slash_comments(self) -> Option<bool> {
        match self {
            Language::Python | Language::Ruby | Language::Shell | Language::PowerShell => Some(false),
            Language::Dockerfile | Language::Yaml => Some(false),
            Language::Other | Language::Sql => None,
            _ => Some(true),
        }
    }
}

impl FromStr for Language {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Language::ALL.iter().find(|(_, names)| names[0] == name).map(|(language, _)| *language).ok_or(())
    }
}

/// A set of languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Languages(u32);

impl Languages {
    /// Whether the language is in it.
    pub fn has(self, language: Language) -> bool {
        self.0 & (1 << language as u32) != 0
    }
}

impl FromIterator<Language> for Languages {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        Languages(languages.into_iter().fold(0, |set, language| set | 1 << language as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_paths_tell_the_language() {
        assert_eq!(Language::of_tag("Py"), Some(Language::Python));
        assert_eq!(Language::of_tag("tsx"), Some(Language::JavaScript));
        assert_eq!(Language::of_tag("text"), None);
        assert_eq!(Language::of_path("src/a.b/main.go"), Some(Language::Go));
        assert_eq!(Language::of_path("C:\\x\\run.PS1"), Some(Language::PowerShell));
        assert_eq!(Language::of_path("deploy/Dockerfile.prod"), Some(Language::Dockerfile));
        assert_eq!(Language::of_path("Makefile"), None);
        assert_eq!(Language::of_path("README.md"), None);
    }

    #[test]
    fn every_name_is_read_and_no_tag_means_two() {
        let mut seen = std::collections::HashSet::new();
        for (language, names) in Language::ALL {
            assert_eq!(names[0].parse(), Ok(language));
            assert_eq!(language.name(), names[0]);
            assert!(names.iter().all(|name| seen.insert(*name)), "{names:?}");
        }
        assert_eq!("py".parse::<Language>(), Err(()), "rules use one name");
    }

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set: Languages = [Language::Go, Language::Other].into_iter().collect();
        assert!(set.has(Language::Go) && set.has(Language::Other) && !set.has(Language::Python));
    }
}

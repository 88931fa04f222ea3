//! The kept corpora of the fuzzers, run again: every input that once found something, and those that reach the most code.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Largest input that is kept.
const INPUT_BYTES_MAX: u64 = 8 << 10;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_holds() {
    let mut failed = Vec::new();
    for (name, target) in fuzz::ALL {
        let files = corpus(name);
        assert!(files.len() >= 3, "the corpus of {name} is gone");
        for file in files {
            let input = fs::read(&file).unwrap();
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{} inputs fail: {failed:#?}", failed.len());
}

#[test]
fn every_folder_belongs_to_a_target_and_every_target_to_a_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| {
        let names = fs::read_dir(root.join(folder)).unwrap().map(|it| it.unwrap().path());
        let mut names: Vec<String> = names.map(|it| it.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let targets: Vec<&str> = fuzz::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

#[test]
fn kept_inputs_are_small() {
    for (name, _) in fuzz::ALL {
        for file in corpus(name) {
            assert!(fs::metadata(&file).unwrap().len() <= INPUT_BYTES_MAX, "{} is too large to keep", file.display());
        }
    }
}

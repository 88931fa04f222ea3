//! What the configuration means, and what is said about its mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const QUICK_START: &str = include_str!("../../conf/gateway.yaml");
const FULL: &str = include_str!("../../conf/gateway-full.yaml");

/// References of tests: a few variables and one file.
fn resolve(reference: &Reference) -> Result<String, String> {
    match reference {
        Reference::Environment(name) if name == "PROVIDER_KEY" => Ok("made-up-provider-key".to_owned()),
        Reference::Environment(name) if name == "PORT" => Ok("9443".to_owned()),
        Reference::Environment(name) if name == "EMPTY" => Ok(String::new()),
        Reference::File(path) if path == "/run/key" => Ok("key-from-a-file\n".to_owned()),
        Reference::Environment(_) => Err("it is not set".to_owned()),
        Reference::File(_) => Err("no such file".to_owned()),
    }
}

fn read(text: &str) -> Result<(File, Warnings), Mistakes> {
    let reading =
        Reading { origin: "gateway.yaml", resolve: &resolve, known_checkers: &crate::domain::Checker::BUILT_IN };
    reading.read(text)
}

#[test]
fn seed_reads() {
    for text in [QUICK_START, FULL] {
        if let Err(mistakes) = read(text) {
            panic!("{mistakes}");
        }
    }
}

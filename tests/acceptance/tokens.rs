//! Every kind of key that the rules promise to find, through the whole way out.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::{MESSAGES, REDACTING, RESPONSES, forwarded, hides_as, leaves, post, prompt, send};
use crate::support::run;

/// What stands before, the made-up key in pieces, what stands behind, and its label.
type Sample = (&'static str, &'static [&'static str], &'static str, &'static str);

const SAMPLES: &[Sample] = &[
    (
        "",
        &[
            "sk-proj-",
            "mn_FRCHpyVIf_Jgxt-6AfH2QlJGiQjlCrwnpLRrbmHnoAcEMQN1KuUEg-E_lc3Wg2Sd-MM8EHQ",
            "T3BlbkFJ",
            "mZ5lHP-v6FHKsK1B1fv6g1lQtFYrovSjv4PzjFwtFmCM2pFZxpQxiejsZDQERJHyO1a2b3c4d5",
        ],
        "",
        "OPENAI_API_KEY",
    ),
    ("", &["ASIA", "PUV44D7XKD6QPJNJ"], "", "AWS_ACCESS_KEY"),
    (
        "",
        &["github_", "pat_11U6I7XNBTRK467VKC1ZJW_uKGFN1Fl7LKA9ThpjXqSSCh0CAC68IuKja51fUithJbNmT9K0MhVoHhunud"],
        "",
        "GITHUB_TOKEN",
    ),
    (
        "",
        &[
            "-----BEGIN ENCRYPTED PRIV",
            "ATE KEY-----\nMIIFmvS7v7r56VuaIIEgJPXbyPL3yC1Gc4hDAolDCcROvHxAxN7Q5DF5LQlxF+hQ\n-----END ENCRYPTED PRIV",
            "ATE KEY-----",
        ],
        "\nand on",
        "PRIVATE_KEY_PEM",
    ),
    (
        "",
        &[
            "-----BEGIN PGP PRIV",
            "ATE KEY BLOCK-----\n\nlIYEmuXGy9Wix13m/Fj14fx5jX/6pSFf89ZBLHk5bwky33I/KhXhroWU494PoLeQ\n-----END PGP PRIV",
            "ATE KEY BLOCK-----",
        ],
        "",
        "PRIVATE_KEY_PEM",
    ),
    ("aws_secret_access_key = ", &["mxBgJIRnj4QycK2e314v", "7LOtQ4+R7BKZrLq3TuJQ"], "", "AWS_SECRET_KEY"),
    ("AWS_SECRET_ACCESS_KEY=", &["mxBgJIRnj4QycK2e314v", "7LOtQ4+R7BKZrLq3TuJQ"], "\n", "AWS_SECRET_KEY"),
    ("", &["postgres", "://app:Tr0ub4", "dor3@db:5432/shop"], "", "DB_CONNECTION_STRING"),
    (
        "",
        &["mongodb", "+srv://svc:q8Zr2LmX9v@cluster0.ab1cd", ".mongodb.net/app?retryWrites=true"],
        "",
        "DB_CONNECTION_STRING",
    ),
    ("  password: ", &["Tr0ub4", "dor3"], "\n  host: db", "HARDCODED_PASSWORD"),
    ("\"password\": \"", &["q8Zr", "2LmX9"], "\",", "HARDCODED_PASSWORD"),
    ("", &["xoxb-", "636526972737-9930287816315-", "kMF8aNKq2KhDEmsQt6CrSMzt"], "", "SLACK_TOKEN"),
    ("", &["npm_", "J81AQWCp5xCafmCvITBdnGujxJpzqiD97SKX"], "", "NPM_TOKEN"),
    (
        "",
        &[
            "pypi-AgEIcHlwaS5vcmcm",
            "KO3YOONT-84YZ45VCH4yUSVPxBB76a49HKFimbF9vCsC8iT7OKgdFvxJABFyZH54EjFhFO1974WwOW4oViUi5EnHvkGQPRNM60Y54HE8o5t4yhpyLwA16Q0okQ",
        ],
        "",
        "PYPI_TOKEN",
    ),
    ("", &["GOCSPX-", "mGRTMcD1xEpp06ITH0ejSoJhF02Q"], "", "GOOGLE_OAUTH_SECRET"),
    (
        "",
        &[
            "ya29.",
            "a0m89vqXGsupD3aAIHIaO-0N-RdPOZ6wdbmBHQMyPOar8KD5KNgqtqKMdvLwwG1GFo-ZUROG1JzxFxbLKGsCL_FnQEivrn11S0-USEsqgExVCEyM",
        ],
        "",
        "GOOGLE_OAUTH_TOKEN",
    ),
    ("card ", &["4532 0151", " 1283 0366"], " exp 04/29", "CREDIT_CARD"),
];

#[test]
fn each_listed_token_becomes_its_label_and_nothing_else_changes() {
    for (before, pieces, behind, label) in SAMPLES {
        let planted = pieces.concat();
        let text = |secret: &str| serde_json::to_string(&format!("{before}{secret}{behind}")).unwrap();
        let marked = text("§");
        let planted = serde_json::to_string(&planted).unwrap();
        let planted = planted.trim_matches('"');
        let label = format!("[REDACTED:{label}]");
        let user = format!(r#"{{"messages":[{{"role":"user","content":{marked}}}]}}"#);
        hides_as(MESSAGES, &user, planted, &label);
        let output = format!(r#"{{"input":[{{"type":"function_call_output","call_id":"c","output":{marked}}}]}}"#);
        hides_as(RESPONSES, &output, planted, &label);
    }
}

#[test]
fn a_pem_body_goes_with_its_header() {
    let (_, pieces, ..) = SAMPLES[3];
    let run = send(&post(REDACTING, MESSAGES, prompt(&format!("cat key.pem\n{}\n$", pieces.concat()))));
    assert_eq!(forwarded(&run), Some(prompt("cat key.pem\n[REDACTED:PRIVATE_KEY_PEM]\n$").as_bytes()));
}

#[test]
fn a_number_without_its_check_digit_is_no_card() {
    let body = prompt("card 4532 0151 1283 0367");
    assert_eq!(forwarded(&send(&post(REDACTING, MESSAGES, body.clone()))), Some(body.as_bytes()));
}

/// The examples beside the rules, through the whole way: as they are, in a tool's result, and in arguments.
#[test]
fn every_example_of_every_secret_rule_that_stops_is_stopped_wherever_it_stands() {
    let mut wrong = Vec::new();
    for text in examples() {
        let quoted = serde_json::to_string(&text).unwrap();
        let twice = serde_json::to_string(&format!(r#"{{"content":{quoted}}}"#)).unwrap();
        for (path, body) in [
            (MESSAGES, format!(r#"{{"messages":[{{"role":"user","content":{quoted}}}]}}"#)),
            (
                MESSAGES,
                format!(
                    r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","content":{quoted}}}]}}]}}"#
                ),
            ),
            (RESPONSES, format!(r#"{{"input":[{{"type":"function_call","arguments":{twice}}}]}}"#)),
        ] {
            let run = run(&post(REDACTING, path, body.clone()), 0);
            let Some(sent) = forwarded(&run) else { continue };
            if serde_json::from_slice::<Value>(sent).is_err() || sent == body.as_bytes() {
                wrong.push(body);
            }
        }
    }
    assert!(wrong.is_empty(), "{} pass:\n{}", wrong.len(), wrong.join("\n"));
}

/// What went on is clean: sent once more, it passes as it is.
#[test]
fn what_was_redacted_holds_nothing_more_to_redact() {
    let mut wrong = Vec::new();
    for text in examples() {
        let first = run(&post(REDACTING, MESSAGES, prompt(&text)), 0);
        let Some(sent) = forwarded(&first) else { continue };
        let second = run(&post(REDACTING, MESSAGES, sent), 0);
        if forwarded(&second) != Some(sent) {
            let again = forwarded(&second).map(String::from_utf8_lossy).map(|it| it.into_owned());
            wrong.push(format!("{}\n  {again:?}", String::from_utf8_lossy(sent)));
        }
        assert!(!leaves(&serde_json::from_slice(sent).unwrap()).is_empty());
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The hits of the rules that are not only for flagging.
fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checkers/secrets");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let rules: Value = serde_yaml::from_str(&text).unwrap();
        let stops = |rule: &&Value| rule["action"] != "flag" && (rule["risk"] == "high" || rule["risk"] == "critical");
        for rule in rules.as_array().unwrap().iter().filter(stops) {
            let hits = rule["hits"].as_array().unwrap();
            found.extend(hits.iter().map(|hit| hit.as_str().unwrap().replace('¦', "")));
        }
    }
    assert!(found.len() > 100, "the examples are gone");
    found
}

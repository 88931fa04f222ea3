//! Where matches count, text by text; how a text is cut changes nothing.
use proptest::prelude::*;

use super::*;
use crate::scan::tests::{rule, scan};
use crate::scan::{Confirm, Engine, Pattern, RuleSpec, Stream};

/// Finds `run(x)` as code, `<run(x)>` in literals, too, and `only(x)` in Go.
fn rules() -> Vec<RuleSpec> {
    let go = Confirm::Languages([Language::Go].into_iter().collect());
    vec![
        RuleSpec { confirm: vec![Confirm::Code], ..rule("code", &["run("], r"run\([a-z]{1,9}\)") },
        RuleSpec { confirm: vec![Confirm::Quoted], ..rule("quoted", &["lit("], r"lit\([a-z]{1,9}\)") },
        RuleSpec { confirm: vec![Confirm::Code, go], ..rule("go", &["only("], r"only\([a-z]{1,9}\)") },
        RuleSpec {
            confirm: vec![Confirm::Code],
            pattern: Pattern::Regex(r#"X-Name["'], ["']\*["']"#.to_string()),
            ..rule("header", &["X-Name"], "x")
        },
    ]
}

thread_local! {
    static ENGINE: Engine = Engine::new(rules()).unwrap();
}

/// How much is found in the whole text; the same is found in pieces.
fn count(text: &str) -> usize {
    ENGINE.with(|engine| {
        let rules = engine.select(|_| true);
        let bytes = text.as_bytes();
        let whole = scan(engine, &rules, &[bytes]);
        for cut in 0..bytes.len() {
            assert_eq!(scan(engine, &rules, &[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut} of {text:?}");
        }
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(scan(engine, &rules, &bytes.chunks(size).collect::<Vec<_>>()), whole, "{size} of {text:?}");
        }
        whole.len()
    })
}

fn found(text: &str) -> bool {
    count(text) > 0
}

#[test]
fn code_is_found_with_and_without_a_fence() {
    for text in [
        "run(x)",
        "  run(x)",
        "x = run(y)",
        "Here you are:\n```python\nrun(x)\n```\nDone.",
        "```\nrun(x)\n```",
        "~~~sh\nrun(x)\n~~~",
        "> ```js\n> return run(x)\n> ```",
        "1. First\n   ```rb\n   run(x)\n   ```",
        "const rows = await run(x)",
        "if ok then run(x)",
        "public static void run(x)",
        "private static final String run(x)",
        "fmt.Println(\"it's\"); run(x)",
        "let x: &'a str = run(x)",
        "x = 'it' + run(x)",
        "a /* note */ run(x)",
        "url = \"https://host\"; run(x)",
        "+    run(x)",
        "- run(x)",
        "f\"{run(x)}\"",
        "`a ${run(x)} b`",
        "echo \"$(run(x))\"",
        "#include <a>\nrun(x)",
        "\"\"\"Doc.\"\"\"\nrun(x)",
        "\"\"\"\nDoc.\n\"\"\"\nrun(x)",
        "/* a\n * b\n */\nrun(x)",
        "the end of a text.\n\"\"\"\nrun(x)",
        "setHeader(\"X-Name\", \"*\")",
        "lit(x)",
        "log(\"lit(x)\")",
    ] {
        assert!(found(text), "{text:?}");
    }
}

#[test]
fn mentions_are_not_found() {
    for text in [
        "never call run(x)",
        "You should not use run(x) here.",
        "- Instead of run(x), call walk(x)",
        "Use run(x) to do so",
        "the code `y = run(x)` is bad",
        "Do not use run(x)",
        "# run(x)",
        "x = 1  # run(x)",
        "// run(x)",
        "x(); // run(x)",
        "-- run(x)",
        "<!-- run(x) -->",
        "/* run(x) */",
        "/*\n run(x)\n*/",
        "/**\n * run(x)\n */",
        "; run(x)",
        "log(\"run(x)\")",
        "log('do not run(x)')",
        "log(`run(x)`)",
        "\"\"\"run(x)\"\"\"",
        "def f():\n    \"\"\"Doc.\n\n    run(x)\n    \"\"\"",
        "text = '''\nrun(x)\n'''",
        "#!/usr/bin/python\n\"\"\"\nrun(x)\n\"\"\"",
        "```py\n\"\"\"\nrun(x)\n\"\"\"\n```",
        "```run(x)",
        "```diff\n-run(x)\n```",
        "diff --git a/x b/x\n@@ -1,2 +1,2 @@\n- run(x)",
        "*** Begin Patch\n*** Update File: x.py\n@@\n-    run(x)",
        "```python\n# run(x)\n```",
        "```text\nyou should run(x)\n```",
        "# never lit(x)",
        "the `lit(x)` is bad",
    ] {
        assert!(!found(text), "{text:?}");
    }
}

#[test]
fn a_sentence_may_begin_with_the_call_that_it_names() {
    let is_code = |whole: &[u8]| Surroundings::default().is_code(b"", whole, false);
    assert!(!is_code(b"run(x) is dangerous"));
    assert!(!is_code(b"run(x) can execute any code."));
    assert!(is_code(b"run(x) + 1"));
    assert!(is_code(b"run(x) if y else z"));
    assert!(is_code(b"run(x)"));
}

#[test]
fn a_fence_tells_the_language() {
    assert!(found("```go\nonly(x)\n```"));
    assert!(found("only(x)"));
    assert!(found("```\nonly(x)\n```"));
    assert!(found("```12:15:src/main.go\nonly(x)\n```"));
    assert!(!found("```python\nonly(x)\n```"));
    assert!(!found("```go\n```\n```sh\nonly(x)\n```"));
    assert!(found("```js\nx = '#' + 1 # run(x)\n```"), "no comment in JavaScript");
    assert!(!found("```py\nx = 1 #run(x)\n```"));
    assert!(found("```py\nx = 7 // run(x)\n```"), "a division");
    assert!(found("````md\n```py\nrun(x)\n```\n````"));
}

#[test]
fn a_file_tells_its_language_by_its_first_line() {
    assert!(found("package main\n\nonly(x)"));
    assert!(!found("<?php\nonly(x)"));
    assert!(found("// note\npackage x\n\nthe quick brown run(x)"), "no prose in a file");
    assert!(!found("package manager, the best\nthe quick brown run(x)"));
    assert!(!found("package a.b;\nthe quick brown run(x)"));
}

#[test]
fn lines_taken_away_do_not_count_and_others_do() {
    let patch = |line: &str| format!("diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n a\n{line}\n");
    assert!(!found(&patch("-    run(x)")));
    assert!(found(&patch("+    run(x)")));
    assert!(found(&patch("     run(x)")));
    assert!(!found(&patch("+    # run(x)")));
    assert!(found("*** Begin Patch\n*** End Patch\n- run(x)"));
}

#[test]
fn a_literal_without_end_hides_no_more_than_its_limit() {
    let text = format!("x = \"\"\"\n{}\nrun(x)", "words and words\n".repeat(1000));
    let engine = Engine::new(rules()).unwrap();
    let all = engine.select(|_| true);
    assert_eq!(scan(&engine, &all, &[text.as_bytes()]).len(), 1);
    assert_eq!(scan(&engine, &all, &text.as_bytes().chunks(100).collect::<Vec<_>>()).len(), 1);
}

#[test]
fn the_language_of_a_file_holds_for_all_of_it() {
    let engine = Engine::new(rules()).unwrap();
    let find = |language, text: &str| {
        let (mut stream, mut hits) = (Stream::new(engine.select(|_| true)), Vec::new());
        stream.block(Block::Code(Some(language)));
        stream.push(&engine, text.as_bytes(), &mut hits);
        stream.finish(&engine, &mut hits);
        hits.len()
    };
    assert_eq!(find(Language::Go, "only(x)"), 1);
    assert_eq!(find(Language::Python, "only(x)"), 0);
    assert_eq!(find(Language::Go, "the quick brown run(x)"), 1);
    assert_eq!(find(Language::Go, "# run(x)"), 1);
    assert_eq!(find(Language::Rust, "/// ```\n/// run(x)\n/// ```\nrun(x)"), 1);
}

#[test]
fn context_is_no_part_of_the_line() {
    let engine = Engine::new(rules()).unwrap();
    let (mut stream, mut hits) = (Stream::new(engine.select(|_| true)), Vec::new());
    stream.context(&engine, b"the command\": \"");
    stream.push(&engine, b"run(x)", &mut hits);
    stream.finish(&engine, &mut hits);
    assert_eq!(hits.len(), 1);
}

fn fragments() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "```",
        "~~~",
        "`",
        "\"\"\"",
        "'''",
        "\"",
        "'",
        "/*",
        "*/",
        "//",
        "#",
        "\n",
        "\n",
        " ",
        "run(x)",
        "run(x)",
        "go",
        "python",
        "@@ -",
        "diff --git ",
        "package ",
        "<?php",
        "*** Begin Patch",
        "*** End Patch",
        "-",
        "+",
        "the ",
        "x = ",
        "only(x)",
        "lit(x)",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cuts_change_nothing(text in fragments()) {
        count(&text);
    }

    /// The stream tells of each place what reading the whole text tells.
    #[test]
    fn a_stream_sees_what_the_whole_text_shows(text in fragments()) {
        ENGINE.with(|engine| {
            let rules = engine.select(|rule| rule.id == "code");
            let found = scan(engine, &rules, &[text.as_bytes()]);
            let places = text.match_indices("run(x)").map(|(at, _)| at);
            let is_code = |at: &usize| {
                let before = &text.as_bytes()[at.saturating_sub(256)..*at];
                Surroundings::within(text.as_bytes(), *at).is_code(before, b"run(x)", false)
            };
            let expected: Vec<usize> = places.filter(is_code).collect();
            prop_assert_eq!(found.into_iter().map(|hit| hit.whole.start).collect::<Vec<_>>(), expected);
            Ok(())
        })?;
    }
}

//! Ordinary work goes through untouched, with every check on.

use crate::client::{CHAT, MESSAGES, RESPONSES, passes, prompt};

/// What the words of ordinary work look like to careless rules.
const TEXTS: &[&str] = &[
    "insert the new row and sudo apt install jq, then look into ../lib",
    "Please act as a senior reviewer. You must follow PEP8. My name is Jordan.",
    "cursor.execute(\"SELECT * FROM users WHERE id = %s\", (user_id,))",
    "yaml.load(text, Loader=yaml.SafeLoader)\nyaml.load(f, SafeLoader)\nyaml.load(f, Loader=yaml.CSafeLoader)",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "git show 4b825dc642cb6eb9a060e54bf8d69288fbee4904 --stat",
    "time.sleep(5); await sleep(5)\nSELECT * FROM t LIMIT 1000",
    "{\"created\": 1700000000, \"updated_ms\": 1700000000123, \"port\": 8080}",
    "import random\nx = random.randint(1, 6)\nfrom .. import views\nfrom ..models import User\nimport x from '../../lib/x'",
    "INSERT INTO orders (id, name) VALUES (1, 'x'); DELETE FROM orders WHERE id = 7;",
    "password = os.environ['DB_PASSWORD']\nAPI_KEY=${API_KEY}\ntoken: ${{ secrets.TOKEN }}",
    "def login(user: str, password: str) -> Token: ...",
    "system prompt: ignore whitespace. Forget about the previous error, it is fixed.",
    "Disregard my last message, I meant the other file. New instructions: use tabs.",
    "const url = `https://${host}/api/${id}`; \"a\" + \"b\" + name",
    "https://user@host.example/path and git@github.com:acme/app.git and me@localhost",
    "uuid 8d7d16a4-0c82-4c0a-891c-75da75b5e721 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "\u{feff}# café “quotes” 100% naïve \u{200b} 日本語 😀 e\u{301}",
    "%20 %s %d %(name)s 50%25 https://h.example/a%20b?x=%7B%22a%22%3A1%7D",
    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo= and aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0Cg==",
    "\\u0041\\u0042 \\x41\\x42 \\n \\\\server\\share C:\\Users\\x",
    "AKIA is a prefix, sk-ant- too, and ghp_ and xoxb- and eyJ and -----BEGIN CERTIFICATE-----",
    "Bearer tokens go into the Authorization header: `Authorization: Bearer <token>`",
    "postgres://localhost:5432/app postgresql://user:${PW}@db/app redis://redis:6379",
    "curl -H 'Authorization: Bearer $TOKEN' https://api.example.com | jq .",
    "os.system is dangerous; do not use eval(); why is pickle.loads unsafe?",
    "DROP TABLE is what the migration does: `DROP TABLE IF EXISTS tmp;`",
    "assert add(2, 2) == 4 # 555 1234, 12-34-5678, 10.0.0.1, 1.2.3.4",
    "print(\"Enter password: \")\npassword = getpass()\nif password == \"\":\n    raise ValueError",
    "sk-fading-circle .sk-cube-grid { width: 40px }",
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>",
];

#[test]
fn ordinary_words_change_and_block_nothing() {
    for text in TEXTS {
        passes(MESSAGES, &prompt(text));
    }
}

#[test]
fn ordinary_words_pass_wherever_agents_put_them() {
    for text in TEXTS {
        let text = serde_json::to_string(text).unwrap();
        let nested = serde_json::to_string(&format!(r#"{{"output":{text},"metadata":{{"exit_code":0}}}}"#)).unwrap();
        let arguments = serde_json::to_string(&format!(r#"{{"command":["bash","-lc",{text}]}}"#)).unwrap();
        passes(
            MESSAGES,
            &format!(
                r#"{{"model":"m","system":[{{"type":"text","text":{text}}}],"messages":[{{"role":"user","content":[{{"type":"text","text":{text}}}]}},{{"role":"assistant","content":[{{"type":"thinking","thinking":{text},"signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"}},{{"type":"tool_use","id":"toolu_01","name":"Write","input":{{"file_path":"src/a.py","content":{text}}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_01","content":[{{"type":"text","text":{text}}}]}}]}}],"tools":[{{"name":"Write","description":{text},"input_schema":{{"type":"object"}}}}]}}"#
            ),
        );
        passes(
            RESPONSES,
            &format!(
                r#"{{"model":"m","instructions":{text},"input":[{{"type":"message","role":"user","content":[{{"type":"input_text","text":{text}}}]}},{{"type":"function_call","call_id":"c1","name":"shell","arguments":{arguments}}},{{"type":"function_call_output","call_id":"c1","output":{nested}}}]}}"#
            ),
        );
        passes(
            CHAT,
            &format!(
                r#"{{"model":"m","messages":[{{"role":"developer","content":{text}}},{{"role":"assistant","content":null,"tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}},{{"role":"tool","tool_call_id":"c","content":{text}}}]}}"#
            ),
        );
    }
}

#[test]
fn all_of_it_in_one_file_passes() {
    passes(MESSAGES, &prompt(&TEXTS.join("\n\n")));
    let blocks: Vec<&str> = TEXTS.to_vec();
    passes(MESSAGES, &crate::client::blocks(&blocks));
}

/// The project's own text is about nothing but threats, and is none.
#[test]
fn the_sources_of_this_project_pass() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in
        ["src/pipeline/exchange.rs", "src/pipeline/body.rs", "src/scan/views/encoded.rs", "README.md", "Cargo.toml"]
    {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let result = serde_json::to_string(&text).unwrap();
        passes(
            MESSAGES,
            &format!(
                r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":{result}}}]}}]}}"#
            ),
        );
    }
}

//! Texts of ordinary work. No rule may act on them, whatever the source.

use super::entries;
use super::reference_matcher::Matcher;

/// Texts in which nothing at all may be found.
const HARMLESS: &[&str] = &[
    "test secret::expire_already_owner ... ok (17 us)\ntest token::start_again_mailbox ... ok",
    "Please insert a row into the table and run it with sudo.",
    "cd ../../other && cat ../README.md",
    "from ..models import User\nimport random\nfrom . import views",
    "import { a } from \"../../lib/util\";",
    "Act as a senior reviewer and look at this diff.",
    "Jordan wrote the first version; ask Jordan about it.",
    "You must follow PEP8 and keep lines below 100 characters.",
    "cursor.execute(\"SELECT * FROM users WHERE id = %s AND name = %s\", (user_id, name))",
    "cursor.execute(\n    \"INSERT INTO logs (level, text) VALUES (%s, %s)\",\n    (level, text),\n)",
    "config = yaml.load(stream, Loader=yaml.SafeLoader)",
    "config = yaml.load(\n    open(path),\n    SafeLoader,\n)",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8\nAuthor: somebody",
    "git checkout 4b825dc642cb6eb9a060e54bf8d69288fbee4904 -- src/",
    "time.sleep(5)\nawait sleep(5);",
    "SELECT name FROM users ORDER BY created LIMIT 1000 OFFSET 20",
    "{\"created_at\": 1700000000, \"updated_at\": 1700000000123}",
    "color = random.choice([\"red\", \"green\", \"blue\"])\nroll = random.randint(1, 6)",
    "Prompt injection is when a page tells an agent what to do.",
    "How do I test that my filter catches \"ignore all previous instructions\" as an attack?",
    "password = os.environ[\"DB_PASSWORD\"]\ntoken = get_token(user)\nsecret = None",
    "const apiKey = process.env.OPENAI_API_KEY;\nconst { password } = req.body;",
    "function login(user: string, password: string): Promise<Token>",
    "def check(password: str, token: Optional[str] = None) -> bool:",
    "api_key: ${{ secrets.API_KEY }}\npassword: {{ db_password }}",
    "<input type=\"password\" name=\"password\" placeholder=\"Enter your password\">",
    "Set ANTHROPIC_API_KEY in your shell before you start.",
    "export GITHUB_TOKEN=$(gh auth token)",
    "hashlib.sha256(data).hexdigest()",
    "subprocess.run([\"git\", \"status\"], check=True)",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDdFZ0xhbXBsZUtleUZvclRlc3RzT25seU5vdFJl ci@runner",
    "\"integrity\": \"sha512-DRwdSULMfzweXgzJLJBdyWOtg3ViqKvkzXfFePrbgjKUja1DRwdSULMfzweXgzJLJBdyWOtg3ViqKvkzXfFePg==\"",
    "id: 8d7d16a4-0c82-4c0a-891c-75da75b5e721",
    "listen on 127.0.0.1:8080 and 10.0.0.5, not on 0.0.0.0",
    "version = \"1.2.3\"\nserde = { version = \"1.0.219\", features = [\"derive\"] }",
    "UPDATE users SET last_login = now() WHERE id = 7; -- nightly job",
    "SELECT 'a' AS x UNION SELECT 'b' ORDER BY 1",
    "it's a dog's life, or isn't it? 'yes' or 'no'",
    "WHERE status = 'open' OR status = 'pending'",
    "psql postgresql://localhost:5432/app",
    "https://cdn.host.io/assets/app.ce26b7e2cddf64184564.js?key=v89",
    "docker run -e POSTGRES_PASSWORD=${POSTGRES_PASSWORD} postgres:16",
    "the matrix 255 128 1024 and the range 100-200-3000",
    "npm install react@18.2.0 @types/node@20.1.1",
    "@app.route(\"/login\", methods=[\"POST\"])",
    "eval(\"1 + 1\") and model.eval() and literal_eval(text)",
    "with open(\"data.json\") as f: data = json.load(f)",
    "res.setHeader(\"Access-Control-Allow-Origin\", allowed);",
    "DEBUG = False\nlog.debug(\"debug=%s\", debug)",
];

#[test]
fn nothing_is_found_in_ordinary_work() {
    let mut found = Vec::new();
    for entry in entries().unwrap() {
        let matcher = Matcher::new(&entry.rule);
        for text in HARMLESS {
            if let Some(span) = matcher.find(text).first() {
                found.push(format!("{} finds {:?} in {text:?}", entry.rule.info.id, &text[span.clone()]));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The seed's own examples, each with a rule that must find it and what is to be hidden.
const SEED: &[(&str, &str, &str)] = &[
    (
        "secrets.databases.url",
        "DATABASE_URL=postgresql://admin:MyP@ssw|0rd@prod.db.company.com/app",
        "postgresql://admin:MyP@ssw|0rd@prod.db.company.com/app",
    ),
    ("vuln.sql_injection.python_fstring", "cursor.execute(f\"SELECT * FROM t WHERE a = {var}\")", ""),
    ("vuln.command_injection.shell_true", "subprocess.run(cmd, shell=True)", ""),
    ("vuln.command_injection.os_system", "os.system(cmd)", ""),
    ("vuln.deserialization.pickle", "pickle.loads(data)", ""),
    ("vuln.cryptography.weak_hash_python", "hashlib.md5(data)", ""),
    ("vuln.cryptography.weak_hash_python", "hashlib.sha1(data)", ""),
    ("vuln.cryptography.insecure_random", "token = random.randint(0, 999999)", ""),
    ("vuln.web.path_traversal", "open(request.args['file'])", ""),
    ("vuln.web.debug_setting", "DEBUG=True", ""),
    ("vuln.web.cors_any", "Access-Control-Allow-Origin: *", ""),
];

#[test]
fn the_examples_of_the_promise_are_found() {
    let all = entries().unwrap();
    for (id, text, hidden) in SEED {
        let entry = all.iter().find(|entry| entry.rule.info.id == *id).unwrap_or_else(|| panic!("{id}"));
        let (text, hidden) = (text.replace('|', ""), hidden.replace('|', ""));
        let found = Matcher::new(&entry.rule).find(&text);
        assert_eq!(found.len(), 1, "{id} in {text}");
        assert!(hidden.is_empty() || text[found[0].clone()] == hidden, "{id}: {}", &text[found[0].clone()]);
    }
}

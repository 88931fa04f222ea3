//! E-mail addresses: which reach a person, and which merely say who wrote or maintains a file.

use super::Matched;

/// Mailboxes that nobody reads, that a team reads, or that documentation uses.
const ROLES: &[&str] = &[
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "mailer-daemon",
    "postmaster",
    "webmaster",
    "hostmaster",
    "abuse",
    "security",
    "support",
    "contact",
    "info",
    "hello",
    "help",
    "sales",
    "admin",
    "administrator",
    "root",
    "team",
    "office",
    "press",
    "legal",
    "privacy",
    "billing",
    "feedback",
    "report",
    "bugs",
    "dev",
    "devs",
    "developers",
    "community",
    "conduct",
    "coc",
    "bot",
    "ci",
    "build",
    "release",
    "github",
    "github-actions",
    "actions",
    "git",
    "gitlab",
    "hg",
    "svn",
    "ssh",
    "user",
    "username",
    "usuario",
    "benutzer",
    "you",
    "your",
    "your.email",
    "your-email",
    "your_email",
    "youremail",
    "your.name",
    "yourname",
    "name",
    "email",
    "mail",
    "me",
    "someone",
    "somebody",
    "anyone",
    "nobody",
    "test",
    "tester",
    "testuser",
    "test.user",
    "test_user",
    "test-user",
    "example",
    "sample",
    "demo",
    "dummy",
    "fake",
    "foo",
    "bar",
    "baz",
    "foobar",
    "john.doe",
    "johndoe",
    "john_doe",
    "jane.doe",
    "janedoe",
    "jane_doe",
    "jdoe",
    "first.last",
    "firstname.lastname",
    "apiteam",
    "service",
    "system",
    "daemon",
    "cron",
    "alerts",
    "alert",
    "notifications",
    "notification",
    "newsletter",
    "marketing",
    "hr",
    "jobs",
    "careers",
    "ops",
    "devops",
    "sre",
    "oncall",
    "on-call",
    "engineering",
    "opensource",
    "open-source",
    "oss",
    "maintainers",
    "maintainer",
    "npm",
    "pypi",
    "packages",
    "dependabot",
    "renovate",
    "invalid",
    "unknown",
    "none",
    "null",
    "xxx",
    "abc",
    "partnerapis",
    "api",
    "apisupport",
    "moderation",
];

/// Domains reserved for documentation (RFC 2606), those that stand for "some domain" in sample code, and hosts of
/// mailing lists and of machines.
const SAMPLE_DOMAINS: &[&str] = &[
    "domain.com",
    "domain.tld",
    "yourdomain.com",
    "mydomain.com",
    "mycompany.com",
    "yourcompany.com",
    "email.com",
    "mail.com.invalid",
    "test.com",
    "test.org",
    "test.net",
    "test.io",
    "testing.com",
    "company.com",
    "acme.com",
    "acme.org",
    "acme.io",
    "acme.inc",
    "corp.com",
    "corp.internal",
    "localhost.localdomain",
    "users.noreply.github.com",
    "noreply.github.com",
    "reply.github.com",
    "noreply.gitlab.com",
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "ssh.dev.azure.com",
    "foo.com",
    "bar.com",
    "baz.com",
    "foo.bar",
    "bar.baz",
    "foobar.com",
    "fake.com",
    "dummy.com",
    "sample.com",
    "demo.com",
    "mailinator.com",
    "googlegroups.com",
    "googlegroups.io",
    "groups.io",
    "a.com",
    "b.com",
    "x.com",
    "y.com",
    "host.com",
    "hostname.com",
    "server.com",
    "site.com",
    "website.com",
    "somewhere.com",
    "here.com",
    "there.com",
    "nowhere.com",
    "placeholder.com",
    "swagger.io",
    "my.com",
    "xyz.com",
    "abc.com",
    "doe.com",
    "provider.com",
    "freelists.org",
    "vger.kernel.org",
];

/// Parts of a name that make it a sample, a machine's or a list's.
const SAMPLE_LABELS: &[&str] = &["example", "lists", "list", "noreply", "no-reply", "iam", "gserviceaccount"];

/// Last labels that exist and are not two letters long: common ones, so that `unit@tty1.service` is none.
const TOP_LEVELS: &[&str] = &[
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "name",
    "pro",
    "aero",
    "coop",
    "museum",
    "jobs",
    "mobi",
    "travel",
    "tel",
    "cat",
    "asia",
    "post",
    "xxx",
    "app",
    "dev",
    "page",
    "blog",
    "cloud",
    "tech",
    "online",
    "site",
    "store",
    "shop",
    "xyz",
    "top",
    "club",
    "live",
    "life",
    "world",
    "email",
    "agency",
    "digital",
    "studio",
    "design",
    "media",
    "news",
    "group",
    "team",
    "company",
    "solutions",
    "systems",
    "services",
    "software",
    "network",
    "technology",
    "consulting",
    "engineering",
    "finance",
    "capital",
    "ventures",
    "bank",
    "insurance",
    "health",
    "care",
    "clinic",
    "dental",
    "hospital",
    "doctor",
    "legal",
    "law",
    "lawyer",
    "school",
    "academy",
    "university",
    "college",
    "education",
    "institute",
    "foundation",
    "international",
    "global",
    "center",
    "city",
    "london",
    "berlin",
    "paris",
    "amsterdam",
    "wien",
    "hamburg",
    "koeln",
    "bayern",
    "swiss",
    "scot",
    "wales",
    "irish",
    "nyc",
    "tokyo",
    "africa",
    "art",
    "band",
    "bar",
    "bike",
    "build",
    "cafe",
    "chat",
    "codes",
    "cool",
    "cash",
    "events",
    "express",
    "family",
    "farm",
    "fit",
    "fun",
    "fund",
    "games",
    "gmbh",
    "ltd",
    "inc",
    "llc",
    "gold",
    "guru",
    "haus",
    "host",
    "house",
    "ink",
    "land",
    "link",
    "marketing",
    "money",
    "one",
    "partners",
    "photo",
    "photos",
    "press",
    "rocks",
    "run",
    "sale",
    "salon",
    "science",
    "social",
    "space",
    "tax",
    "today",
    "tools",
    "tours",
    "trade",
    "training",
    "vip",
    "wiki",
    "win",
    "wine",
    "work",
    "works",
    "zone",
    "computer",
    "contact",
    "ninja",
    "eus",
    "gal",
    "quebec",
    "moe",
    "lol",
];

/// Country codes that are in use as last labels.
const COUNTRIES: &str = " ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw ";

/// Words that, on the line before an address, say that it signs a file or invites reports.
const SIGNATURES: &[&str] = &[
    "author",
    "copyright",
    "(c)",
    "&copy;",
    "\u{a9}",
    "maintain",
    "packager",
    "-by:",
    "co-authored",
    "signed-off",
    "written by",
    "created by",
    "developed by",
    "contributed by",
    "ported by",
    "modified by",
    "based on",
    "changes by",
    "patch by",
    "patch from",
    "original by",
    "conversion to",
    "thanks to",
    "courtesy of",
    "reported by",
    "contributor",
    "user.email",
    "git_author",
    "git_committer",
    "committer:",
    "uploader",
    "developer",
    "spdx",
    "unacceptable",
    "escalation",
    "moderation",
    "code of conduct",
    "reported by",
    "to report",
    "by contacting",
    "any questions",
    "vulnerability",
    "mailing list",
    "mail-archive",
    "bugs to",
    "bug-report",
    "\"bugs\"",
    "changelog",
    "urgency=",
    "gpg",
    "uid  ",
    "__email__",
    "author_email",
    "bug reports",
    "send an empty",
    "security bugs",
    "message-id:",
    "content-id:",
    "in-reply-to:",
    "references:",
    "list-",
    "example:",
    "subscribe",
    "todo(",
    "fixme(",
    "xxx(",
    "codeowners",
    "translator",
    "last-translator",
    "language-team",
];

/// Keys whose lists and objects hold the people behind a package.
const MANIFESTS: &[&str] = &[
    "authors",
    "author",
    "maintainers",
    "maintainer",
    "contributors",
    "developers",
    "credits",
    "codeowners",
    "\"contact\"",
    "contact:\n",
    "[contact]",
    "publisher",
    "copyright",
    "committer",
    "\"owners\"",
    "owners:",
];

/// What mark-up of documentation puts before an address.
const DOCUMENTATION: &[&str] = &["c<", "f<", "l<", "c<< <", "|mailto:", "@email{", "\\email{"];

/// Whether the match is an address that reaches a person, and not the signature of a file, a remote or part of a URL.
pub(super) fn is_personal(matched: &Matched<'_>) -> bool {
    is_email(matched.secret) && !is_remote(matched.before) && !is_signature(matched)
}

/// Whether `text` looks like an address that reaches a person.
pub(super) fn is_email(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let text = text.to_ascii_lowercase();
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let Some((rest, top_level)) = domain.rsplit_once('.') else { return false };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let dotted_well = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..") && !local.is_empty();
    dotted_well
        && domain.split('.').all(label)
        && is_top_level(top_level)
        && !is_sample_domain(domain, rest)
        && !is_role(local)
        && !local.contains('%')
        && !is_message_id(local)
        && rest != local
}

/// `15261.36209.358846.118674`: mail programs number their messages so.
fn is_message_id(local: &str) -> bool {
    let digits = local.bytes().filter(u8::is_ascii_digit).count();
    (digits > 7 && local.contains('.') && digits * 3 > local.len() * 2) || local.ends_with(".fsf")
}

/// Whether a last label exists.
fn is_top_level(label: &str) -> bool {
    match label.len() {
        2 => COUNTRIES.split(' ').any(|country| country == label),
        _ => TOP_LEVELS.contains(&label) || label.starts_with("xn--"),
    }
}

fn is_sample_domain(domain: &str, rest: &str) -> bool {
    SAMPLE_DOMAINS.contains(&domain)
        || domain.split('.').any(|part| SAMPLE_LABELS.contains(&part))
        || domain.contains("example")
        // `bbb@zzz.org`: one letter over and over.
        || rest.split('.').next_back().is_some_and(|name| name.bytes().all(|it| Some(it) == name.bytes().next()))
        // Nobody's domain has one letter, and `user@1.2.rs` is a version.
        || rest.split('.').next_back().is_none_or(|name| name.len() < 2 || name.bytes().all(|it| it.is_ascii_digit()))
}

fn is_role(local: &str) -> bool {
    let name = local.split('+').next().unwrap_or_default();
    let numbered = name.trim_end_matches(|it: char| it.is_ascii_digit() || it == '-' || it == '_' || it == '.');
    ROLES.contains(&name)
        || ROLES.contains(&numbered)
        || name.len() < 2
        || [
            "noreply",
            "no-reply",
            "donotreply",
            "example",
            "-dev",
            "-users",
            "-devel",
            "-announce",
            "-list",
            "-bugs",
            "-mod",
            "-actions",
            "[bot]",
            "-request",
            "-subscribe",
            "-admin",
            "-owner",
            "-bounces",
            "owner-",
            "-people",
            "bug-",
        ]
        .iter()
        .any(|part| name.contains(part))
}

/// Whether the address is what stands before the host of a URL (`https://ada@host.com/`) or of a copy over ssh.
fn is_remote(before: &[u8]) -> bool {
    let token =
        before.rsplit(|byte| byte.is_ascii_whitespace() || b"\"'<>()".contains(byte)).next().unwrap_or_default();
    let Some(scheme) = token.windows(3).rposition(|window| window == b"://") else { return false };
    !token[scheme + 3..].iter().any(|byte| b"/?=&#".contains(byte))
}

/// Whether what stands before the address says that it belongs to who wrote or keeps a file.
fn is_signature(matched: &Matched<'_>) -> bool {
    let before = String::from_utf8_lossy(matched.before).to_lowercase();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let (shown, is_whole) = (line.trim_start(), line.len() < before.len());
    if SIGNATURES.iter().any(|word| line.contains(word)) {
        return true;
    }
    // `* Ada Lovelace <` and `// Ada Lovelace (`: a comment that names people.
    let opens = line.ends_with('<') || line.ends_with('(') || line.ends_with("&lt;");
    let comment = ["//", "#", "*", "/*", "--", ";", "<!--", "dnl", "%", "\"\"\"", "rem "];
    if DOCUMENTATION.iter().any(|mark| line.ends_with(mark))
        || (opens && (line.contains(" by ") || shown.starts_with("by ")))
    {
        return true;
    }
    if opens && is_whole && comment.iter().any(|mark| shown.starts_with(mark)) {
        return true;
    }
    in_manifest(&before) || under_heading(&before) || (opens && is_quoted_person(shown)) || continues_notice(&before)
}

/// `"Ada Lovelace <` as an entry of a list, and the names that stand under one another in a file of authors.
fn is_quoted_person(line: &str) -> bool {
    let name = line.trim_start_matches(['"', '\'', '-', ' ', '[', ',']).trim_end_matches(['<', ' ', '(']);
    let listed = line.starts_with(['"', '\'', '[']) || line.starts_with("- ");
    listed && name.split(' ').count() <= 4 && !name.contains([':', '=', '{'])
}

/// Whether the list or object in which it stands was opened as one of the people behind a package, and is still open.
fn in_manifest(before: &str) -> bool {
    let opened = MANIFESTS.iter().filter_map(|key| before.rfind(key).map(|at| at + key.len())).max();
    opened.is_some_and(|at| {
        let since = &before[at..];
        let opens = since.starts_with(['"', '\'', ':', '=', ' ', ']', '\n', '<', '>', '(', '[']) || since.is_empty();
        let ended = since.contains("\n\n") || since.contains("\n]") || since.contains("],") || since.contains("\n}");
        opens && !ended
    })
}

/// Whether the last heading before it, in one of the usual forms, is that of the authors.
fn under_heading(before: &str) -> bool {
    let heading = |line: &&str| line.starts_with("=head") || line.starts_with('#');
    before
        .lines()
        .rev()
        .find(heading)
        .is_some_and(|line| MANIFESTS[..5].iter().any(|word| line.contains(word)) && line.len() < 40)
}

/// A notice of copyright may go on over lines of the same comment.
fn continues_notice(before: &str) -> bool {
    let Some(at) = before.rfind("copyright") else { return false };
    before[at..].lines().skip(1).all(|line| {
        let line = line.trim_start();
        ["//", "#", "*", "--", ";", "dnl", "%"].iter().any(|mark| line.starts_with(mark))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal(before: &str, address: &str) -> bool {
        let text = format!("{before}{address}");
        is_personal(&Matched::new(text.as_bytes(), &(before.len()..text.len()), &(before.len()..text.len())))
    }

    #[test]
    fn addresses_of_people() {
        for address in [
            "ada.lovelace@analytical-engines.co.uk",
            "jo+lists@mail.hosting.io",
            "A_B@firm.de",
            "ada@xn--d1acufc.xn--p1ai",
        ] {
            assert!(is_email(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn addresses_of_nobody() {
        let none = [
            "ada@example.com",
            "ada@mail.example.org",
            "noreply@firm.de",
            "git@github.com",
            "icon@2x.png",
            "unit@.service",
            "getty@tty1.service",
            "a..b@firm.de",
            ".ada@firm.de",
            "ada@firm",
            "ada@-firm.de",
            "@firm.de",
            "ada@host.local",
            "ada@1.2",
            "ada@firm.test",
            "ada@firm.invalid",
            "security@firm.de",
            "test1@firm.de",
            "this@MainActivity.finish",
            "ada%40firm@list.de",
            "react-dev@firm.org",
            "ada@googlegroups.com",
        ];
        for address in none {
            assert!(!is_email(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn what_stands_before_tells_a_signature() {
        let address = "ada@analytical-engines.co.uk";
        for before in [
            "authors = [\"Ada Lovelace <",
            "authors = [\n    \"Charles <c@engines.co.uk>\",\n    \"",
            "  \"author\": {\n    \"name\": \"Ada\",\n    \"email\": \"",
            "Signed-off-by: Ada Lovelace <",
            "// Copyright (c) 1843 Ada Lovelace <",
            "/*\n * Ada Lovelace <",
            "@author Ada <",
            "git clone https://",
            "git config user.email \"",
        ] {
            assert!(!personal(before, address), "{before}");
        }
        for before in [
            "customer: ",
            "INSERT INTO users VALUES ('",
            "From: Ada <",
            "https://host.io/reset?mail=",
            "authors = []\n\ncustomer = \"",
            "// ask ",
            "the author wrote it.\n\nTo: ",
        ] {
            assert!(personal(before, address), "{before}");
        }
    }
}

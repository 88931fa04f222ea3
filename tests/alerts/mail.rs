//! E-mail, against a server that speaks just enough SMTP.

use std::sync::{Arc, Mutex};

use airiskguard_gateway::sinks::{Hope, Outlet};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::records::{NOW_MS, entries, leak, outlet};

/// Answers that differ from success: the command's first word, and what is said to it.
type Script = &'static [(&'static str, &'static str)];

/// A mail server and every line it was sent.
pub struct Server {
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, script, heard.clone()));
            }
        });
        Server { port, lines }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The channel `email` to this server.
    fn outlet(&self, account: &str, query: &str) -> Box<dyn Outlet> {
        outlet(&format!(
            "  email: {{smtp: 'smtp://{account}127.0.0.1:{}{query}', from: 'Gateway <gw@a.example>', to: [x@b.example, y@c.example]}}\n",
            self.port
        ))
    }
}

/// One conversation, over whatever carries it. `None` when the other side leaves.
pub async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    stream.write_all(b"220 mail.example ready\r\n").await.ok()?;
    talk(stream, script, heard).await
}

/// Offers STARTTLS and nothing else, and talks once it is taken.
pub async fn upgrade(stream: TcpStream, acceptor: TlsAcceptor, heard: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    for answer in ["220 mail.example ready", "250-mail.example\r\n250 STARTTLS", "220 go on"] {
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        if !answer.ends_with("go on") {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            heard.lock().unwrap().push(line.trim_end().to_owned());
        }
    }
    let stream = acceptor.accept(stream.into_inner()).await.ok()?;
    heard.lock().unwrap().push("(TLS)".to_owned());
    talk(stream, &[], heard).await
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        heard.lock().unwrap().push(line.clone());
        let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let usual = match word.as_str() {
            _ if in_data && line != "." => continue,
            "EHLO" => "250-mail.example\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => "354 go on",
            _ => "250 fine",
        };
        in_data = word == "DATA";
        let word = if line == "." { "." } else { word.as_str() };
        let answer = script.iter().find(|(it, _)| *it == word).map_or(usual, |(_, answer)| answer);
        in_data &= answer.starts_with("354");
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

#[tokio::test]
async fn a_message_goes_to_every_recipient() {
    let server = Server::start(&[]).await;
    let mut outlet = server.outlet("user:unseen%21@", "?tls=off");
    assert_eq!(outlet.name(), "email");
    outlet.deliver(&entries(7, [leak("v1"), leak("v1")]), NOW_MS).await.unwrap();
    let lines = server.lines();
    // NUL user NUL unseen! as base64.
    for expected in [
        "AUTH PLAIN AHVzZXIAdW5zZWVuIQ==",
        "MAIL FROM:<gw@a.example>",
        "RCPT TO:<x@b.example>",
        "RCPT TO:<y@c.example>",
        "From: Gateway <gw@a.example>",
        "Subject: [airiskguard] Blocked: AWS_ACCESS_KEY, risk critical, team backend",
        "Date: Mon, 24 Nov 2025 16:00:07 +0000",
        "Message-ID: <0199a7c2-5b1e-7cc3-98c4-000000000007@a.example>",
        "Team:       backend",
        "Found:      secrets.aws.access_key (AWS_ACCESS_KEY), critical risk",
        ".",
    ] {
        assert!(lines.iter().any(|it| it.starts_with(expected)), "{expected}\n{lines:#?}");
    }
    assert_eq!(lines.iter().filter(|it| it.starts_with("DATA")).count(), 1, "the repeat is only counted");
}

#[tokio::test]
async fn answers_are_for_ever_or_for_now() {
    let rows: [(Script, Hope, &str); 6] = [
        (&[("RCPT", "550 no such mailbox unseen@b.example")], Hope::Never, "answered 550"),
        (&[(".", "554 refused")], Hope::Never, "answered 554"),
        (&[("RCPT", "451 greylisted unseen")], Hope::Later, "answered 451"),
        (&[("AUTH", "535 wrong password unseen")], Hope::Later, "the account was refused (535)"),
        (&[("EHLO", "421 busy")], Hope::Later, "answered 421"),
        (&[("MAIL", "what?")], Hope::Later, "the answer cannot be read"),
    ];
    for (script, hope, what) in rows {
        let server = Server::start(script).await;
        let mut outlet = server.outlet("user:unseen@", "?tls=off");
        let failure = outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await.unwrap_err();
        assert_eq!((failure.hope, failure.what.as_str()), (hope, what), "{script:?}");
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = Server::start(&[]).await;
    let failure = server.outlet("user:unseen@", "").deliver(&entries(1, [leak("v1")]), NOW_MS).await.unwrap_err();
    assert_eq!((failure.hope, failure.what.as_str()), (Hope::Later, "the server does not offer what is needed"));
    assert!(server.lines().iter().all(|it| !it.contains("AUTH") && !it.contains("MAIL")), "{:?}", server.lines());
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_later() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let server = Server { port, lines: Arc::default() };
    let failure = server.outlet("", "?tls=off").deliver(&entries(1, [leak("v1")]), NOW_MS).await.unwrap_err();
    assert_eq!((failure.hope, failure.what.as_str()), (Hope::Later, "no connection: connection refused"));
}

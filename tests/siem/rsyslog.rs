//! A real rsyslog in a folder of its own, with what it wrote.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MISSING: &str =
    "rsyslogd is needed: install the Debian packages rsyslog and rsyslog-openssl (`.ci/install test`)";
const PROGRAM: &str = "/usr/sbin/rsyslogd";

/// What rsyslog understood of one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) priority: u8,
    pub(crate) host: String,
    pub(crate) application: String,
    pub(crate) id: String,
    pub(crate) data: String,
    pub(crate) message: String,
}

impl Line {
    /// A value of the structured data.
    pub(crate) fn datum(&self, name: &str) -> String {
        let (_, rest) = self.data.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.datum("sequence").parse().unwrap()
    }
}

pub(crate) struct Rsyslog {
    folder: tempfile::TempDir,
    pub(crate) tcp: u16,
    pub(crate) tls: u16,
    pub(crate) udp: u16,
    child: Option<Child>,
}

impl Rsyslog {
    /// Listens on TCP and UDP, and with certificates of [`certificates`] also on TLS.
    pub(crate) fn start(with_tls: bool, ask_for_certificate: bool) -> Self {
        assert!(Path::new(PROGRAM).exists(), "{MISSING}");
        let folder = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut rsyslog = Rsyslog { tcp: free(), tls: free(), udp, folder, child: None };
        let at = rsyslog.folder.path().display().to_string();
        let mut config = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"128k\")\n\
             template(name=\"fields\" type=\"string\" string=\"%pri%\\t%hostname%\\t%app-name%\\t%msgid%\\t%structured-data%\\t%msg%\\n\")\n\
             module(load=\"imudp\") input(type=\"imudp\" address=\"127.0.0.1\" port=\"{}\")\n\
             module(load=\"imtcp\") input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{}\")\n",
            rsyslog.udp, rsyslog.tcp
        );
        if with_tls {
            certificates(rsyslog.folder.path());
            let mode = if ask_for_certificate { "x509/certvalid" } else { "anon" };
            config += &format!(
                "input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{}\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" \
                 streamDriver.authMode=\"{mode}\" streamDriver.caFile=\"{at}/ca.pem\" streamDriver.certFile=\"{at}/server.pem\" \
                 streamDriver.keyFile=\"{at}/server.key\")\n",
                rsyslog.tls
            );
        }
        config += &format!("action(type=\"omfile\" file=\"{at}/out\" template=\"fields\")\n");
        fs::write(rsyslog.folder.path().join("rsyslog.conf"), config).unwrap();
        rsyslog.resume();
        rsyslog
    }

    /// Starts it again on the same ports.
    pub(crate) fn resume(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(PROGRAM)
            .arg("-n")
            .args(["-f", &self.path("rsyslog.conf"), "-i", &self.path("pid")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect(MISSING);
        self.child = Some(child);
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.tcp)).is_err() {
            assert!(
                Instant::now() < end,
                "rsyslogd does not listen: {}",
                fs::read_to_string(self.path("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        drop(fs::remove_file(self.path("pid")));
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What it wrote so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(PathBuf::from(self.path("out"))).unwrap_or_default();
        // The last line may be half written.
        let whole = text.split_inclusive('\n').filter_map(|it| it.strip_suffix('\n'));
        whole.filter(|it| it.contains("airiskguard@")).map(line).collect()
    }

    /// Waits until the condition holds for what it wrote.
    #[track_caller]
    pub(crate) fn until(&self, holds: impl Fn(&[Line]) -> bool) -> Vec<Line> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let lines = self.lines();
            if holds(&lines) {
                return lines;
            }
            let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(Instant::now() < end, "{} lines in the end, the last: {:?}\n{}", lines.len(), lines.last(), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

fn line(text: &str) -> Line {
    let mut fields = text.splitn(6, '\t').map(str::to_owned);
    let mut next = || fields.next().unwrap_or_else(|| panic!("a field is missing: {text:?}"));
    Line {
        priority: next().parse().unwrap(),
        host: next(),
        application: next(),
        id: next(),
        data: next(),
        message: next(),
    }
}

/// A root, and a server's and a client's certificate from it.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
        let made = made.expect("the openssl command is needed: install the Debian package openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    const KEY: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("{KEY} -subj /CN=root -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem"));
    openssl(&format!(
        "{KEY} -subj /CN=other -addext basicConstraints=critical,CA:TRUE -keyout other.key -out other.pem"
    ));
    for name in ["server", "client"] {
        let names = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        openssl(&format!("{KEY} -CA ca.pem -CAkey ca.key -subj /CN={name} {names} -keyout {name}.key -out {name}.pem"));
    }
}

//! What `siem:` means; what is said about its mistakes stands in `mistakes.txt`.
use super::super::{File, Reading, Reference};
use super::*;

fn resolve(reference: &Reference) -> Result<String, String> {
    match reference {
        Reference::Environment(name) if name == "TOKEN" => Ok("made-up-token".to_owned()),
        Reference::Environment(name) if name == "COLLECTOR" => Ok("https://collector.example/surely-unseen".to_owned()),
        _ => Err("none".to_owned()),
    }
}

/// The file with these receivers, and what is doubtful about it.
#[track_caller]
fn read(receivers: &str) -> (File, Vec<String>) {
    let read_rules = |_: &[super::super::RuleFile]| Ok(Vec::new());
    let reading = Reading { origin: "gateway.yaml", resolve: &resolve, known_checkers: &[], read_rules: &read_rules };
    let text = format!(
        "upstream: {{anthropic: 'http://127.0.0.1:1'}}\nchecks: {{outbound: [], inbound: []}}\nsiem:\n{receivers}"
    );
    let (file, warnings) = reading.read(&text).unwrap_or_else(|it| panic!("{it}"));
    (file, warnings.items.into_iter().map(|it| it.what).collect())
}

#[track_caller]
fn only(receiver: &str) -> Siem {
    read(&format!("  - {{name: x, {receiver}}}\n")).0.siem.remove(0)
}

#[test]
fn addresses_name_the_receiver() {
    let to = |to: &str| only(&format!("to: '{to}'")).destination();
    assert_eq!(to("syslog+udp://siem.example"), "syslog over UDP to siem.example port 514");
    assert_eq!(to("syslog+tcp://[2001:db8::1]:601"), "syslog over TCP to 2001:db8::1 port 601");
    assert_eq!(to("syslog+tls://siem.example"), "syslog over TLS to siem.example port 6514");
    assert_eq!(to("splunk+https://splunk.example:8088/prefix"), "Splunk at https://splunk.example:8088/prefix");
    assert_eq!(to("elastic+https://elastic.example"), "Elasticsearch at https://elastic.example");
    assert_eq!(to("otlp+http://127.0.0.1:4318"), "OpenTelemetry at http://127.0.0.1:4318");
    assert_eq!(to("https://collector.example/in?key=surely-unseen"), "https://collector.example");
    assert_eq!(to("${COLLECTOR}"), "https://collector.example");
    assert_eq!(to("file:/var/log/x.jsonl"), "the file /var/log/x.jsonl");
    assert_eq!(
        to("kafka://a.example,b.example:9093/audit"),
        "the topic audit of Kafka at a.example:9092, b.example:9093"
    );
}

#[test]
fn paths_of_collectors_stay_secret() {
    let siem = only("to: '${COLLECTOR}'");
    let SiemTarget::Http { path, .. } = &siem.to else { panic!("{siem:?}") };
    assert_eq!(path.expose(), "/surely-unseen");
    assert!(!format!("{siem:?}").contains("unseen"));
    let (file, _) = read("  - {name: x, to: '${COLLECTOR}', token: '${TOKEN}'}\n");
    let said = format!("{}{}{file:?}", file.effective(), super::super::explain(&file));
    assert!(
        said.contains("https://collector.example") && !said.contains("unseen") && !said.contains("made-up"),
        "{said}"
    );
}

#[test]
fn defaults_follow_from_the_receiver() {
    let format = |to: &str| only(&format!("to: '{to}'")).format;
    assert_eq!(format("syslog+tls://a.example"), SiemFormat::Cef);
    assert_eq!(format("elastic+https://a.example"), SiemFormat::Ecs);
    assert_eq!(format("splunk+https://a.example"), SiemFormat::Json);
    assert_eq!(format("file:/x"), SiemFormat::Json);
    let siem = only("to: 'syslog+tcp://a.example'");
    assert_eq!((siem.facility.name(), siem.facility.number()), ("local0", 16));
    assert_eq!(
        (siem.framing, siem.include, siem.file_bytes_max),
        (SiemFraming::OctetCounting, SiemInclude::All, 100 << 20)
    );
    assert_eq!(only("to: 'https://a.example'").framing, SiemFraming::Lines);
}

#[test]
fn every_key_is_read() {
    let siem = only("to: 'syslog+tcp://a.example', format: leef, facility: auth, framing: newline, include: findings");
    assert_eq!((siem.format, siem.facility.number(), siem.framing), (SiemFormat::Leef, 4, SiemFraming::Newline));
    assert_eq!(siem.include, SiemInclude::Findings);
    let siem = only(
        "to: 'splunk+https://a.example', token: '${TOKEN}', headers: {X-Source: '${TOKEN}'}, ca_file: /ca.pem, \
         client_certificate: {cert: /c.pem, key: /k.pem}, index: main",
    );
    assert_eq!(siem.token.unwrap().expose(), "made-up-token");
    assert_eq!((siem.headers[0].0.as_str(), siem.headers[0].1.expose()), ("x-source", "made-up-token"));
    assert_eq!((siem.ca_file.as_deref(), siem.index.as_deref()), (Some("/ca.pem"), Some("main")));
    assert_eq!(siem.client_certificate, Some(Tls { cert: "/c.pem".into(), key: "/k.pem".into() }));
    assert_eq!(only("to: 'https://a.example', framing: array").framing, SiemFraming::Array);
    assert_eq!(only("to: 'file:/x', file_bytes_max: 1MiB").file_bytes_max, 1 << 20);
}

#[test]
fn what_goes_in_clear_is_told() {
    let warnings = |to: &str| read(&format!("  - {{name: x, to: '{to}'}}\n")).1.join(" ");
    for to in [
        "syslog+udp://a.example",
        "syslog+tcp://a.example",
        "http://a.example",
        "otlp+http://a.example",
        "kafka://a.example/x",
    ] {
        assert!(warnings(to).contains("in clear"), "{to}");
    }
    for to in [
        "syslog+tls://a.example",
        "syslog+udp://127.0.0.1",
        "http://localhost",
        "otlp+https://a.example",
        "kafka+tls://a.example/x",
        "kafka://127.0.0.1/x",
    ] {
        assert!(!warnings(to).contains("records go"), "{to}");
    }
    assert!(warnings("splunk+https://a.example").contains("without a token"));
}

#[test]
fn the_explanation_names_receivers() {
    let (file, _) =
        read("  - {name: lake, to: 'file:/x.jsonl', include: findings}\n  - {name: all, to: 'file:/y.jsonl'}\n");
    let said = super::super::explain(&file);
    assert!(said.contains("what was found, and acts, goes to `siem.lake`: the file /x.jsonl"), "{said}");
    assert!(said.contains("every record goes to `siem.all`: the file /y.jsonl"), "{said}");
    assert!(file.effective().contains(" siem.lake=\"the file /x.jsonl\"(json)"), "{}", file.effective());
}

//! What a gateway that runs cannot change: a reload keeps those settings as they were, and names them.

use super::File;

impl File {
    /// Puts the settings of `running` in the place of those that only a start can change. Returns the keys that differ,
    /// in the order of [`File`]: they wait for a restart.
    pub fn keep_started(&mut self, running: &File) -> Vec<&'static str> {
        let mut waiting = Vec::new();
        let mut keep = |key, differs: bool| {
            if differs {
                waiting.push(key);
            }
        };
        keep("tls", self.tls != running.tls);
        keep("notifications", self.notifications != running.notifications);
        keep("siem", self.siem != running.siem);
        keep("audit_enabled", self.audit_enabled != running.audit_enabled);
        keep("audit", self.audit != running.audit);
        keep("host", self.host != running.host);
        keep("port", self.port != running.port);
        keep("limits.connections_max", self.limits.connections_max != running.limits.connections_max);
        keep("admin", self.admin != running.admin);
        keep("control", self.control != running.control);
        self.tls.clone_from(&running.tls);
        self.notifications.clone_from(&running.notifications);
        self.siem.clone_from(&running.siem);
        self.audit_enabled = running.audit_enabled;
        self.audit.clone_from(&running.audit);
        self.host.clone_from(&running.host);
        self.port = running.port;
        self.limits.connections_max = running.limits.connections_max;
        self.admin.clone_from(&running.admin);
        self.control.clone_from(&running.control);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> File {
        let resolve = |_: &_| Err("no references here".to_owned());
        File::parse(yaml, "gateway.yaml", &resolve).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    #[test]
    fn what_needs_a_restart_is_named_and_stays_as_it_was() {
        let running = read("upstream: {anthropic: https://one.example}\n");
        let mut file = read(
            "upstream: {anthropic: https://two.example}\nhost: 127.0.0.1\nport: 9000\nredact_secrets: true\n\
             tls: {cert: a.pem, key: a.key}\nadmin: {listen: \"127.0.0.1:1\"}\n\
             audit: {retention_days: 3, full_text: true}\nlimits: {connections_max: 5, findings_max: 9}\n\
             notifications: {webhook: {url: https://hook.example/a}}\n\
             siem: [{name: here, to: 'syslog+tcp://127.0.0.1:6514'}]\ncontrol: {server: 'https://policy.example'}\n",
        );
        let waiting = file.keep_started(&running);
        let all =
            ["tls", "notifications", "siem", "audit", "host", "port", "limits.connections_max", "admin", "control"];
        assert_eq!(waiting, all);
        assert!(file.redact_secrets && file.limits.findings_max == 9 && file.upstreams[0].url.host == "two.example");
        assert_eq!((file.port, file.tls.is_none(), file.audit.full_text), (running.port, true, false));
        assert!(file.keep_started(&running).is_empty(), "what was kept does not differ any more");
    }

    #[test]
    fn another_secret_is_a_difference_although_it_is_never_shown() {
        let with = |end: &str| {
            read(&format!(
                "upstream: {{anthropic: https://one.example}}\nnotifications: {{webhook: {{url: https://hook.example/{end}}}}}\n"
            ))
        };
        assert_eq!(with("b").keep_started(&with("a")), ["notifications"]);
        assert_eq!(format!("{:?}", with("b").notifications), format!("{:?}", with("a").notifications));
    }
}

//! `trusted_proxies:` and `proxy_protocol:`: who stands in front, and may say where a client comes from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::parse::set_flag;
use super::reader::{Reader, Section};

/// Networks in one list.
const NETWORKS_MAX: usize = 256;

/// What stands in front of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fronts {
    /// `trusted_proxies:` addresses and networks whose word about a client's address is taken. None by default.
    pub trusted: Vec<IpNet>,
    /// `proxy_protocol:` connections from them begin with a PROXY header, version 1 or 2. Default false.
    pub proxy_protocol: bool,
}

impl Fronts {
    /// Whether this address may say where a client comes from.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|it| it.contains(&address))
    }
}

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Fronts {
    let mut fronts = Fronts::default();
    if let Some(field) = top.find("trusted_proxies") {
        let items = reader.list(field).unwrap_or_default();
        if items.len() > NETWORKS_MAX {
            reader.reject(field, "there are too many networks", "at most 256; a network stands for many addresses");
        }
        for item in items.iter().take(NETWORKS_MAX) {
            let Some(text) = reader.text(item) else { continue };
            match network(&text) {
                Some(network) => fronts.trusted.push(network),
                None => {
                    let what = format!("{} is neither an address nor a network", reader.quote(item));
                    reader.reject(item, what, "an address like `10.0.0.5`, or a network like `10.0.0.0/8`");
                }
            }
        }
    }
    set_flag(reader, top, "proxy_protocol", &mut fronts.proxy_protocol);
    if let Some(field) = top.find("proxy_protocol").filter(|_| fronts.proxy_protocol && fronts.trusted.is_empty()) {
        reader.reject(field, "nobody is trusted to send a PROXY header", "`trusted_proxies:` beside it");
    }
    if let Some(field) = top.find("trusted_proxies")
        && fronts.trusted.iter().any(|it| it.prefix_len() == 0)
    {
        reader.warn(field, "everyone may say where they come from", "name the addresses of your own proxies");
    }
    fronts
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|it: IpNet| it.trunc())
}

#[cfg(test)]
mod tests {
    use crate::config::File;

    fn read(settings: &str) -> Result<File, String> {
        let nothing = |_: &_| Err("no references here".to_owned());
        File::parse(&format!("upstream: {{anthropic: https://a.example}}\n{settings}"), "gateway.yaml", &nothing)
            .map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn addresses_and_networks_are_trusted_and_nobody_else() {
        let fronts = read("trusted_proxies: [10.1.0.0/16, 192.0.2.7, '2001:db8::/32']\n").unwrap().fronts;
        let trusts = |it: &str| fronts.trusts(it.parse().unwrap());
        assert!(trusts("10.1.255.1") && trusts("::ffff:10.1.0.1") && trusts("192.0.2.7") && trusts("2001:db8::1"));
        assert!(!trusts("10.2.0.1") && !trusts("192.0.2.8") && !trusts("2001:db9::1"));
        assert!(!read("").unwrap().fronts.trusts("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn mistakes_are_told() {
        for (settings, what) in [
            ("trusted_proxies: [10.0.0.0/99]\n", "neither an address nor a network"),
            ("proxy_protocol: true\n", "nobody is trusted to send a PROXY header"),
        ] {
            let mistake = read(settings).unwrap_err();
            assert!(mistake.contains(what), "{mistake}");
        }
    }
}

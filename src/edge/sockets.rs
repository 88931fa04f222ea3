//! The sockets to listen on: handed over by a service manager or the process before this one, else bound here.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use listenfd::ListenFd;
use socket2::SockRef;

/// Connections that wait in the kernel until they are accepted; the system's own limit may be lower. What comes beyond is
/// dropped without a word, and tried again by the client after one second, three, seven.
const BACKLOG: i32 = 4096;

/// The name under which the listener for operators is handed over (`FileDescriptorName=` in a socket unit).
pub(super) const ADMIN: &str = "admin";
/// The name of the others.
pub(super) const CLIENTS: &str = "gateway";
/// Where their names stand, with colons between.
pub(super) const NAMES: &str = "LISTEN_FDNAMES";

/// Bound sockets.
pub struct Sockets {
    /// Where clients connect.
    pub clients: Vec<TcpListener>,
    /// Where operators connect.
    pub admin: Option<TcpListener>,
}

impl Sockets {
    /// Takes what was handed over, and binds what is missing.
    ///
    /// # Errors
    /// What was handed over is no socket that listens, or an address cannot be bound; the text names it.
    pub fn open(host: &str, port: u16, admin: Option<&str>) -> Result<Sockets, String> {
        let mut sockets = Sockets::inherited().map_err(|error| format!("cannot use the inherited sockets: {error}"))?;
        if sockets.clients.is_empty() {
            let bound = bind((host, port));
            sockets.clients.push(bound.map_err(|error| format!("cannot listen on {host}:{port}: {error}"))?);
        }
        if let Some(address) = admin.filter(|_| sockets.admin.is_none()) {
            let bound = bind(address);
            sockets.admin = Some(bound.map_err(|error| format!("cannot listen on {address} (admin.listen): {error}"))?);
        }
        Ok(sockets)
    }

    fn inherited() -> io::Result<Sockets> {
        #[expect(clippy::disallowed_methods, reason = "how sockets are named to the one who inherits them")]
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut inherited = ListenFd::from_env();
        let mut sockets = Sockets { clients: Vec::new(), admin: None };
        for index in 0..inherited.len() {
            let socket = inherited.take_tcp_listener(index)?;
            match names.split(':').nth(index) {
                Some(ADMIN) => sockets.admin = socket,
                _ => sockets.clients.extend(socket),
            }
        }
        Ok(sockets)
    }

    /// The same sockets once more, for a process that takes this one's place.
    pub(super) fn duplicate(clients: &[TcpListener], admin: Option<&TcpListener>) -> io::Result<Sockets> {
        let clients = clients.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        Ok(Sockets { clients, admin: admin.map(TcpListener::try_clone).transpose()? })
    }
}

/// Bound, and listening with room for a burst: the standard library leaves 128 places.
fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    /// Nobody accepts any of them: they wait in the kernel.
    #[test]
    fn a_burst_of_connections_finds_room() {
        let sockets = Sockets::open("127.0.0.1", 0, None).unwrap();
        let address = sockets.clients[0].local_addr().unwrap();
        let connected = |_| TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap();
        assert_eq!((0..500).map(connected).collect::<Vec<_>>().len(), 500);
    }
}

//! Syslog over UDP: one datagram for each message, and nobody says whether it arrived.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use async_trait::async_trait;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use super::super::{Message, frame};
use super::{CONNECT_TIMEOUT, SEND_TIMEOUT, Transport};
use crate::config::Facility;
use crate::sinks::Failure;

/// Most bytes of one datagram: what rsyslog takes unless told otherwise.
const DATAGRAM_BYTES_MAX: usize = 8192;
/// Room for the header beside the text.
const HEADER_BYTES_MAX: usize = 1024;

pub(super) struct Udp {
    host: String,
    port: u16,
    facility: Facility,
    socket: Option<UdpSocket>,
}

impl Udp {
    pub(super) fn new(host: &str, port: u16, facility: Facility) -> Self {
        Udp { host: host.to_owned(), port, facility, socket: None }
    }

    async fn socket(&mut self) -> Result<&UdpSocket, Failure> {
        if self.socket.is_none() {
            let opened = timeout(CONNECT_TIMEOUT, open(&self.host, self.port)).await;
            let opened = opened.map_err(|_| Failure::later("the name was not resolved in time"))?;
            self.socket = Some(opened.map_err(|error| Failure::later(format!("cannot be reached: {error}")))?);
        }
        self.socket.as_ref().ok_or_else(|| Failure::later("no socket"))
    }
}

async fn open(host: &str, port: u16) -> std::io::Result<UdpSocket> {
    let mut last = std::io::Error::other("the name has no address");
    for address in lookup_host((host, port)).await? {
        let own: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[async_trait]
impl Transport for Udp {
    async fn send(&mut self, messages: &[Message], _now_ms: u64) -> Result<(), Failure> {
        let facility = self.facility;
        for (done, message) in messages.iter().enumerate() {
            let datagram = frame::message(facility, message, DATAGRAM_BYTES_MAX);
            let socket = self.socket().await.map_err(|failure| failure.after(done))?;
            let what = match timeout(SEND_TIMEOUT, socket.send(datagram.as_bytes())).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => format!("a datagram was not sent: {error}"),
                Err(_) => "a datagram was not sent in time".to_owned(),
            };
            // The next try asks for the address again. What the other host refused is told with the datagram after it.
            self.socket = None;
            return Err(Failure::later(what).after(done.saturating_sub(1)));
        }
        Ok(())
    }

    fn text_bytes_max(&self) -> usize {
        DATAGRAM_BYTES_MAX - HEADER_BYTES_MAX
    }
}

//! Where a client comes from when somebody trusted stands in front: a PROXY header before everything else, or headers
//! of the request. What was said by anyone else is not believed, and what proxies say goes no further.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pingora_http::RequestHeader;
use ppp::v2;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::config::Fronts;

/// What every header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, line end included.
const LINE_BYTES_MAX: usize = 107;
/// Longest header of version 2 that is read: addresses, and what proxies add to them.
const BLOCK_BYTES_MAX: usize = 2048;
/// How long a proxy may take to say it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one header that are looked at, from the nearest on.
const HOPS_MAX: usize = 32;
/// What proxies write into requests, for their own side of the house.
const HEADERS: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"];

/// Reads the PROXY header; the client's address, or the proxy's own where the connection is its own.
///
/// # Errors
/// No such header within its time: the connection is nobody's.
pub(super) async fn announced(stream: &mut TcpStream, proxy: SocketAddr) -> io::Result<SocketAddr> {
    let read = tokio::time::timeout(TIMEOUT, read(stream)).await;
    Ok(read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.unwrap_or(proxy))
}

async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    match header == SIGNATURE {
        true => read_block(stream, header).await,
        false => read_line(stream, header).await,
    }
}

async fn read_block(stream: &mut TcpStream, mut header: Vec<u8>) -> io::Result<Option<SocketAddr>> {
    let mut rest = [0; 4];
    stream.read_exact(&mut rest).await?;
    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    if length > BLOCK_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    header.extend_from_slice(&rest);
    let begin = header.len();
    header.resize(begin + length, 0);
    stream.read_exact(&mut header[begin..]).await?;
    let header = v2::Header::try_from(header.as_slice()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(it)) => Some((it.source_address, it.source_port).into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(it)) => Some((it.source_address, it.source_port).into()),
        _ => None,
    })
}

/// One byte after the other: what follows the line is not ours.
async fn read_line(stream: &mut TcpStream, mut line: Vec<u8>) -> io::Result<Option<SocketAddr>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    if !line.starts_with(b"PROXY ") {
        return Err(invalid());
    }
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES_MAX {
            return Err(invalid());
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| invalid())?;
    let header = ppp::v1::Header::try_from(line).map_err(|_| invalid())?;
    Ok(match header.addresses {
        ppp::v1::Addresses::Tcp4(it) => Some((it.source_address, it.source_port).into()),
        ppp::v1::Addresses::Tcp6(it) => Some((it.source_address, it.source_port).into()),
        ppp::v1::Addresses::Unknown => None,
    })
}

/// The client of a request that `peer` sent: the nearest address that no trusted proxy has. Where proxies are trusted,
/// what they wrote is taken out of the request.
pub(super) fn client(fronts: &Fronts, peer: IpAddr, head: &mut RequestHeader) -> IpAddr {
    if fronts.trusted.is_empty() {
        return peer;
    }
    let client = if fronts.trusts(peer) { nearest(fronts, peer, head) } else { peer };
    for name in HEADERS {
        head.remove_header(name);
    }
    client
}

fn nearest(fronts: &Fronts, peer: IpAddr, head: &RequestHeader) -> IpAddr {
    let lines: Vec<&str> = head.headers.get_all("x-forwarded-for").iter().filter_map(|it| it.to_str().ok()).collect();
    let mut client = peer;
    // Each proxy adds the address that it was called from at the end.
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        let Some(address) = address(hop.trim()) else { return client };
        client = address;
        if !fronts.trusts(address) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:1234`, `2001:db8::1`, `[2001:db8::1]:1234`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    plain.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    fn fronts() -> Fronts {
        Fronts { trusted: vec!["10.0.0.0/8".parse().unwrap()], proxy_protocol: true }
    }

    fn head(lines: &[&str]) -> RequestHeader {
        let mut head = RequestHeader::build("POST", b"/v1/messages", None).unwrap();
        for line in lines {
            head.append_header("x-forwarded-for", *line).unwrap();
        }
        head
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_is_the_client() {
        let client = |peer: &str, lines: &[&str]| {
            let mut head = head(lines);
            let client = client(&fronts(), peer.parse().unwrap(), &mut head);
            assert!(!head.headers.contains_key("x-forwarded-for"), "it goes no further");
            client.to_string()
        };
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9, 192.0.2.1, 10.0.0.2"]), "192.0.2.1", "the rest is hearsay");
        assert_eq!(client("10.0.0.1", &["198.51.100.9", "192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("192.0.2.5", &["198.51.100.9"]), "192.0.2.5", "nobody has asked it");
        let mut untouched = head(&["198.51.100.9"]);
        assert_eq!(
            super::client(&Fronts::default(), "192.0.2.5".parse().unwrap(), &mut untouched).to_string(),
            "192.0.2.5"
        );
        assert!(untouched.headers.contains_key("x-forwarded-for"));
    }

    async fn said(bytes: &[u8]) -> Result<String, io::ErrorKind> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        proxy.write_all(bytes).await.unwrap();
        proxy.shutdown().await.unwrap();
        let client = announced(&mut stream, "10.0.0.1:1".parse().unwrap()).await.map_err(|error| error.kind())?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        Ok(format!("{client} {rest}"))
    }

    #[tokio::test]
    async fn both_versions_are_read_and_not_a_byte_more() {
        assert_eq!(said(b"PROXY TCP4 192.0.2.1 10.0.0.9 4711 443\r\nrest").await.unwrap(), "192.0.2.1:4711 rest");
        assert_eq!(said(b"PROXY UNKNOWN\r\nrest").await.unwrap(), "10.0.0.1:1 rest");
        let mut block = SIGNATURE.to_vec();
        block.extend_from_slice(&[0x21, 0x11, 0, 12, 192, 0, 2, 1, 10, 0, 0, 9, 0x12, 0x67, 1, 187]);
        block.extend_from_slice(b"rest");
        assert_eq!(said(&block).await.unwrap(), "192.0.2.1:4711 rest");
        let mut own = SIGNATURE.to_vec();
        own.extend_from_slice(&[0x20, 0, 0, 0]);
        assert_eq!(said(&own).await.unwrap(), "10.0.0.1:1 ");
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for bytes in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"PROXY ", b"PROXY TCP4 nonsense 10.0.0.9 1 2\r\n"] {
            assert!(said(bytes).await.is_err(), "{bytes:?}");
        }
        let long = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
        assert_eq!(said(&long).await.unwrap_err(), io::ErrorKind::InvalidData);
        let mut large = SIGNATURE.to_vec();
        large.extend_from_slice(&[0x21, 0x11, 0xff, 0xff]);
        assert_eq!(said(&large).await.unwrap_err(), io::ErrorKind::InvalidData);
    }
}

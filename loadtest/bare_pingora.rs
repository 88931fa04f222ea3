//! Bare Pingora as a plain proxy: forwards every request to one address and looks at nothing. The measure that the
//! gateway's own cost is held against.
//!
//! `cargo run --release --example bare_pingora -- 127.0.0.1:8081 127.0.0.1:9000`, with where it listens and where the
//! provider is. Threads, allocator, size of pages and pool are those of the gateway, so that only its work makes the
//! difference.
#![allow(clippy::print_stderr, reason = "a program for the terminal")]

use async_trait::async_trait;
use pingora_core::Error;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Idle connections to the provider, as many as the gateway keeps.
const POOL_SIZE: usize = 512;

/// A proxy that only knows where the provider is.
struct Bare {
    provider: String,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>, Box<Error>> {
        Ok(Box::new(HttpPeer::new(&self.provider, false, String::new())))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, provider] = arguments.as_slice() else {
        eprintln!("usage: bare_pingora LISTEN PROVIDER, both as host:port");
        std::process::exit(2);
    };
    rustix::thread::disable_transparent_huge_pages(true).ok();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let conf = ServerConf { threads, upstream_keepalive_pool_size: POOL_SIZE, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    let mut service = http_proxy_service(&server.configuration, Bare { provider: provider.clone() });
    service.add_tcp(listen);
    server.bootstrap();
    server.add_service(service);
    server.run_forever()
}

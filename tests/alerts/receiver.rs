//! A receiver of HTTP that plays scripted answers and remembers what it was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use tokio::net::TcpListener;

/// The part of an address that no message may repeat.
pub const SECRET_PATH: &str = "unseen-path/T0/B0";

/// An answer.
#[derive(Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
}

/// An answer with this status.
pub fn status(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

/// What arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

#[derive(Default)]
struct Script {
    answers: Vec<Answer>,
    received: Vec<Received>,
}

/// A running receiver.
pub struct Receiver {
    pub port: u16,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    /// Plays these answers in turn, and the last one for ever.
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        let script = Arc::new(Mutex::new(Script { answers, received: Vec::new() }));
        let router = Router::new().fallback(receive).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { port, script }
    }

    /// An address that holds what must stay secret.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{SECRET_PATH}?unseen=query", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.script.lock().unwrap().received.clone()
    }

    /// The bodies that arrived, as JSON.
    pub fn bodies(&self) -> Vec<Value> {
        self.received().iter().map(Received::json).collect()
    }
}

async fn receive(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let answer = {
        let mut script = script.lock().unwrap();
        script.received.push(Received { target: parts.uri.to_string(), headers: parts.headers, body });
        let answers = &mut script.answers;
        if answers.len() > 1 { answers.pop().unwrap() } else { answers.last().unwrap().clone() }
    };
    tokio::time::sleep(answer.after).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

//! A scripted HTTP server on the loopback: it notes what comes and answers as it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The JSON values of the body, one behind the other.
    pub(crate) fn values(&self) -> Vec<serde_json::Value> {
        serde_json::Deserializer::from_str(&self.body).into_iter().collect::<Result<_, _>>().unwrap()
    }
}

/// What to answer.
#[derive(Clone)]
pub(crate) enum Answer {
    Say(u16, String),
    Hang,
}

type Judge = dyn Fn(&Seen) -> Answer + Send + Sync;

pub(crate) struct Endpoint {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<VecDeque<Answer>>>,
}

impl Endpoint {
    /// Answers by the script first, and then as `judge` says.
    pub(crate) async fn start(judge: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(VecDeque::new())));
        let judge: Arc<Judge> = Arc::new(judge);
        let (noting, telling) = (seen.clone(), script.clone());
        let handler = move |request: Request| {
            let (noting, telling, judge) = (noting.clone(), telling.clone(), judge.clone());
            async move {
                let (head, body) = request.into_parts();
                let body: Bytes = to_bytes(body, 8 << 20).await.unwrap();
                let path = head.uri.path_and_query().unwrap().to_string();
                let request = Seen { path, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() };
                let told = telling.lock().unwrap().pop_front();
                let answer = told.unwrap_or_else(|| judge(&request));
                noting.lock().unwrap().push(request);
                match answer {
                    Answer::Say(status, text) => (StatusCode::from_u16(status).unwrap(), text),
                    Answer::Hang => std::future::pending().await,
                }
            }
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        Endpoint { port, seen, script }
    }

    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    /// What came since the last look.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

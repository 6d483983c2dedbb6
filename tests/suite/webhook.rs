//! An HTTP receiver for tests: it keeps what it gets and answers as the test wants.
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Arrived {
    /// A header's value; empty when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// What the receiver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This status and body.
    Status(u16, String),
    /// This status, one header and body.
    Header(u16, (&'static str, &'static str), String),
    /// A redirect to this place.
    Redirect(String),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }
}

struct Inner {
    arrived: Mutex<Vec<Arrived>>,
    answers: Mutex<VecDeque<Answer>>,
    bell: Notify,
    /// Whether requests are answered, or wait until they are.
    open: watch::Sender<bool>,
}

/// A receiver on a free loopback port. Answers 200 unless told otherwise. Stops when dropped.
pub(crate) struct Webhook {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Webhook {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner {
            arrived: Mutex::default(),
            answers: Mutex::default(),
            bell: Notify::new(),
            open: watch::Sender::new(true),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().fallback(take).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { address, inner, task }
    }

    /// Where to post to: this receiver under `path`, such as `/hook`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next requests get these answers, in this order; those after them get 200 again.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.inner.answers.lock().expect("answers").extend(answers);
    }

    /// From now on requests wait for their answers.
    pub(crate) fn hold(&self) {
        self.inner.open.send_replace(false);
    }

    /// Answers those that wait, and those to come.
    pub(crate) fn let_go(&self) {
        self.inner.open.send_replace(true);
    }

    /// What has arrived, oldest first.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.inner.arrived.lock().expect("arrived").clone()
    }

    /// How many have arrived.
    pub(crate) fn count(&self) -> usize {
        self.inner.arrived.lock().expect("arrived").len()
    }

    /// Waits until `count` requests have arrived, and gives them all.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Arrived> {
        loop {
            let rung = self.inner.bell.notified();
            let arrived = self.arrived();
            if arrived.len() >= count {
                return arrived;
            }
            rung.await;
        }
    }
}

async fn take(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 16 * 1024 * 1024).await.expect("the body arrives");
    let arrived = Arrived {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    };
    inner.arrived.lock().expect("arrived").push(arrived);
    let answer = inner.answers.lock().expect("answers").pop_front().unwrap_or_else(|| Answer::status(200));
    inner.bell.notify_waiters();
    let _ = inner.open.subscribe().wait_for(|open| *open).await;
    match answer {
        Answer::Status(status, body) => Response::builder().status(status).body(body.into()).expect("a response"),
        Answer::Header(status, (name, value), body) => {
            Response::builder().status(status).header(name, value).body(body.into()).expect("a response")
        }
        Answer::Redirect(to) => {
            Response::builder().status(302).header("location", to).body(Body::empty()).expect("a response")
        }
        Answer::Silence => std::future::pending().await,
    }
}

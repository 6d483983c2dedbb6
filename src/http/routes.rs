//! Which page a path means. What nobody else takes is the AWS endpoint's.
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use futures::future::BoxFuture;
use http::header::{ACCEPT, CONNECTION};
use http::{HeaderValue, Method};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::http::aws_endpoint::AwsEndpoint;
use crate::http::desk::{Again, Desk, Work};
use crate::http::exposition::Family;
use crate::http::figures::Figures;
use crate::http::health::Health;
use crate::http::hosts::Hosts;
use crate::http::metrics::{Gauge, Metrics};
use crate::http::peer::Peer;

/// What makes the document that a browser gets at `/`.
type HomeHandler = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// The pages of one server, with room for more until [`Routes::finish`].
pub struct Routes {
    router: Router,
    home: Option<HomeHandler>,
    gauges: Vec<Gauge>,
    figures: Option<Figures>,
    hosts: Option<Hosts>,
}

impl Routes {
    /// Health and metrics.
    pub fn new(health: &Health) -> Self {
        Self { router: Router::new().merge(health.router()), home: None, gauges: vec![], figures: None, hosts: None }
    }

    /// Shows a number among the metrics that is looked at when somebody asks for them, with what it means in a line.
    #[must_use]
    pub fn gauge(
        self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.gauges(name, help, move || vec![(vec![], value())])
    }

    /// The same for numbers that have labels, as many as there are then.
    #[must_use]
    pub fn gauges(
        mut self,
        name: &'static str,
        help: &'static str,
        values: impl Fn() -> Vec<(Vec<(&'static str, String)>, f64)> + Send + Sync + 'static,
    ) -> Self {
        self.gauges.push(Arc::new(move || Family::new(name, help, values())));
        self
    }

    /// Shows what waits in the queues among the metrics.
    #[must_use]
    pub fn figures(self, figures: Figures) -> Self {
        Self { figures: Some(figures), ..self }
    }

    /// Adds pages. Their paths must be their own: the root and everything that no page takes belong to AWS.
    #[must_use]
    pub fn with(mut self, pages: Router) -> Self {
        self.router = self.router.merge(pages);
        self
    }

    /// Sets the page that a browser gets at `/`. AWS's clients use the same path and still reach the AWS endpoint.
    #[must_use]
    pub fn home<F, R>(mut self, page: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        self.home = Some(Arc::new(move |request| Box::pin(page(request))));
        self
    }

    /// Answers only who calls the server by one of these names.
    #[must_use]
    pub fn only_for(self, hosts: Hosts) -> Self {
        Self { hosts: Some(hosts), ..self }
    }

    /// All pages, with `endpoint` for the rest.
    pub fn finish(self, endpoint: AwsEndpoint) -> Site {
        let Self { router, home, gauges, figures, hosts } = self;
        let router = router.merge(Metrics::global().router(gauges, figures));
        let endpoint = Arc::new(endpoint);
        let (root, rest) = (endpoint.clone(), endpoint.clone());
        let root = move |request: Request| {
            let (home, endpoint) = (home.clone(), root.clone());
            async move {
                match home {
                    Some(page) if is_browsing(&request) => page(request).await,
                    _ => endpoint.serve(request).await,
                }
            }
        };
        let rest = move |request: Request| {
            let endpoint = rest.clone();
            async move { endpoint.serve(request).await }
        };
        let pages = TowerToHyperService::new(router.route("/", any(root)).fallback(rest));
        Site { endpoint: Some(endpoint), pages, hosts }
    }

    /// These pages alone: what none of them takes is not found.
    pub fn alone(self) -> Site {
        let router = self.router.merge(Metrics::global().router(self.gauges, self.figures));
        Site { endpoint: None, pages: TowerToHyperService::new(router), hosts: self.hosts }
    }
}

/// Everything that a server answers. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    endpoint: Option<Arc<AwsEndpoint>>,
    pages: TowerToHyperService<Router>,
    hosts: Option<Hosts>,
}

impl Site {
    /// Answers a request. What programs post to the root is for AWS in any case, and there are many: it does not go
    /// through the router.
    pub(super) async fn answer(self, request: hyper::Request<hyper::body::Incoming>, desk: &Desk) -> Response {
        if self.hosts.is_some_and(|hosts| !hosts.allow(request.headers())) {
            return Hosts::refusal();
        }
        let peer = request.extensions().get::<Peer>();
        let last = peer.is_some_and(|peer| peer.seat.in_reserve());
        let mut response = match self.endpoint {
            Some(endpoint) if request.method() == Method::POST && request.uri().path() == "/" => {
                let (again, long_wait) = (Again::of(&request), peer.map(|peer| peer.long_wait.clone()));
                match endpoint.receive(request.map(Body::new)).await {
                    Ok(received) => {
                        let answer = Box::pin(async move { endpoint.answer(received).await });
                        desk.answer(Work::new(again, long_wait.unwrap_or_default(), answer)).await
                    }
                    Err(refused) => refused,
                }
            }
            _ => match self.pages.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        };
        if last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whether a request for `/` is a browser's, which wants a page. AWS's clients name an action, a target or a signature.
fn is_browsing(request: &Request) -> bool {
    let headers = request.headers();
    let wants_page =
        headers.get(ACCEPT).is_some_and(|accept| accept.to_str().is_ok_and(|text| text.contains("text/html")));
    matches!(request.method().as_str(), "GET" | "HEAD")
        && wants_page
        && !headers.contains_key("authorization")
        && !headers.contains_key("x-amz-target")
        && !request.uri().query().is_some_and(|query| query.contains("Action=") || query.contains("X-Amz-"))
}

//! What a browser gets that opens the server's address: where things are. And what browsers and search engines ask for unasked.
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use futures::future::{Ready, ready};

use crate::http::page;

/// `/favicon.ico` (there is none) and `/robots.txt` (nothing here is for search engines).
pub fn routes() -> Router {
    let none = async || (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "max-age=86400")]);
    let robots = async || ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "User-agent: *\nDisallow: /\n");
    Router::new().route("/favicon.ico", get(none)).route("/robots.txt", get(robots))
}

/// The page at `/`; with the inbox where there is one.
pub fn page(inbox: bool) -> impl Fn(Request) -> Ready<Response> + Send + Sync + 'static {
    let mut html = "<p>This address answers programs that speak to Amazon SES, SNS and SQS: set it as their endpoint \
        (<code>AWS_ENDPOINT_URL</code>).</p>\n<ul>\n"
        .to_owned();
    if inbox {
        html.push_str("<li><a href=\"/_postrider/inbox\">/_postrider/inbox</a>: captured mail, as JSON</li>\n");
    }
    html.push_str(
        "<li><a href=\"/_postrider/health\">/_postrider/health</a>: whether the server takes work</li>\n\
         <li><a href=\"/metrics\">/metrics</a>: figures for Prometheus</li>\n</ul>",
    );
    let title = format!("Postrider {}", env!("CARGO_PKG_VERSION"));
    move |_| ready(page::page_of(StatusCode::OK, &title, &html))
}

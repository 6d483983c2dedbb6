//! `DELETE /_postrider/dev/state`: takes away all that programs have made, so that the next test begins with nothing, without a
//! restart. `?account=ID`: what this account has made alone. Nobody signs here, so it is mounted in `dev` only.
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::delete;
use serde::Deserialize;
use serde_json::json;

use crate::base::{AccountId, Clock};
use crate::http::json::json;
use crate::http::query::Parameters;
use crate::store::Store;

/// The page. Mount it only where anybody may take everything away.
pub fn routes(store: Store, clock: Clock) -> Router {
    Router::new().route("/_postrider/dev/state", delete(reset)).with_state((store, clock))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    account: Option<String>,
}

async fn reset(State((store, clock)): State<(Store, Clock)>, Parameters(whose): Parameters<Whose>) -> Response {
    let account = match whose.account.map(|text| text.parse::<AccountId>()).transpose() {
        Ok(account) => account,
        Err(_) => return json(400, &json!({ "error": "account must be an account id of twelve digits" })),
    };
    match store.reset(&clock, account).await {
        Ok(gone) => json(200, &json!({ "deleted": gone })),
        Err(error) => {
            tracing::error!(%error, "the state cannot be taken away");
            json(500, &json!({ "error": "the state cannot be taken away" }))
        }
    }
}

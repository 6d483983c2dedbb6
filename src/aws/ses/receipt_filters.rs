//! The receipt IP filters of SES v1: making, listing, removing.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::ses::receipt_error::ReceiptError;
use crate::mail::receiving::filters::{Filter, Policy};

/// A filter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiptFilter {
    name: Option<String>,
    ip_filter: Option<ReceiptIpFilter>,
}

/// Which addresses, and what happens to them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiptIpFilter {
    policy: Option<String>,
    cidr: Option<String>,
}

/// CreateReceiptFilter's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateReceiptFilterRequest {
    filter: ReceiptFilter,
}

/// All filters.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReceiptFiltersResponse {
    filters: Vec<ReceiptFilter>,
}

/// DeleteReceiptFilter's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteReceiptFilterRequest {
    filter_name: String,
}

/// Makes a filter.
pub(super) async fn create_receipt_filter(
    services: &Services,
    caller: &Caller,
    input: CreateReceiptFilterRequest,
) -> Result<NoMembers, ReceiptError> {
    let ReceiptFilter { name, ip_filter } = input.filter;
    let mut found = Violations::default();
    found.present("filter.name", name.as_ref());
    found.present("filter.ipFilter", ip_filter.as_ref());
    if let Some(ReceiptIpFilter { policy, cidr }) = &ip_filter {
        found.present("filter.ipFilter.policy", policy.as_ref());
        found.one_of("filter.ipFilter.policy", policy.as_deref(), &["Allow", "Block"]);
        found.present("filter.ipFilter.cidr", cidr.as_ref());
    }
    found.finish()?;
    let ReceiptIpFilter { policy, cidr } = ip_filter.unwrap_or_default();
    let policy = if policy.as_deref() == Some("Allow") { Policy::Allow } else { Policy::Block };
    let (name, cidr) = (name.unwrap_or_default(), cidr.unwrap_or_default());
    services.receiving.create_filter(&caller.scope(), Filter { name, policy, cidr }).await?;
    Ok(NoMembers {})
}

/// Lists all filters.
pub(super) async fn list_receipt_filters(
    services: &Services,
    caller: &Caller,
    _input: NoMembers,
) -> Result<ListReceiptFiltersResponse, ReceiptError> {
    let filters = services.receiving.filters(&caller.scope()).await?;
    let told = |filter: Filter| {
        let policy = match filter.policy {
            Policy::Block => "Block",
            Policy::Allow => "Allow",
        };
        let ip_filter = Some(ReceiptIpFilter { policy: Some(policy.to_owned()), cidr: Some(filter.cidr) });
        ReceiptFilter { name: Some(filter.name), ip_filter }
    };
    Ok(ListReceiptFiltersResponse { filters: filters.into_iter().map(told).collect() })
}

/// Removes a filter; one that does not exist is fine.
pub(super) async fn delete_receipt_filter(
    services: &Services,
    caller: &Caller,
    input: DeleteReceiptFilterRequest,
) -> Result<NoMembers, ReceiptError> {
    services.receiving.delete_filter(&caller.scope(), &input.filter_name).await?;
    Ok(NoMembers {})
}

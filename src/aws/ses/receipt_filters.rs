//! The receipt IP filters of SES v1: making, listing, removing.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_rule_sets::{Nothing, owner};
use crate::mail::receiving::filters::{Filter, Policy};

/// A filter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiptFilter {
    name: String,
    ip_filter: ReceiptIpFilter,
}

/// Which addresses, and what happens to them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiptIpFilter {
    policy: String,
    cidr: String,
}

/// CreateReceiptFilter's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateReceiptFilterRequest {
    filter: ReceiptFilter,
}

/// No members.
#[derive(Debug, Deserialize)]
pub struct ListReceiptFiltersRequest {}

/// All filters.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListReceiptFiltersResponse {
    filters: Vec<ReceiptFilter>,
}

/// DeleteReceiptFilter's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteReceiptFilterRequest {
    filter_name: String,
}

/// Makes a filter.
pub async fn create_receipt_filter(
    services: &Services,
    caller: &Caller,
    input: CreateReceiptFilterRequest,
) -> Result<Nothing, ReceiptError> {
    let ReceiptFilter { name, ip_filter } = input.filter;
    let policy = match ip_filter.policy.as_str() {
        "Block" => Policy::Block,
        "Allow" => Policy::Allow,
        _ => {
            let text = "The policy of an IP filter must be Block or Allow.".to_owned();
            return Err(ReceiptError::InvalidParameterValue(text));
        }
    };
    services.receiving.create_filter(&owner(caller), Filter { name, policy, cidr: ip_filter.cidr }).await?;
    Ok(Nothing {})
}

/// Lists all filters.
pub async fn list_receipt_filters(
    services: &Services,
    caller: &Caller,
    _input: ListReceiptFiltersRequest,
) -> Result<ListReceiptFiltersResponse, ReceiptError> {
    let filters = services.receiving.filters(&owner(caller)).await?;
    let told = |filter: Filter| {
        let policy = match filter.policy {
            Policy::Block => "Block",
            Policy::Allow => "Allow",
        };
        ReceiptFilter { name: filter.name, ip_filter: ReceiptIpFilter { policy: policy.to_owned(), cidr: filter.cidr } }
    };
    Ok(ListReceiptFiltersResponse { filters: filters.into_iter().map(told).collect() })
}

/// Removes a filter; one that does not exist is fine.
pub async fn delete_receipt_filter(
    services: &Services,
    caller: &Caller,
    input: DeleteReceiptFilterRequest,
) -> Result<Nothing, ReceiptError> {
    services.receiving.delete_filter(&owner(caller), &input.filter_name).await?;
    Ok(Nothing {})
}

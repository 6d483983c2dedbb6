//! Amazon SES, the second API (2019-09-27), on REST-JSON.
mod account;
mod configuration_sets;
mod error;
mod event_destinations;
mod identities;
mod page;
mod sending;
#[cfg(test)]
mod tests;

use crate::aws::operation::{Operation, operations};
use crate::aws::service::Api;

/// The service on the wire.
pub static API: Api = Api {
    name: "sesv2",
    signing_names: &["ses", "email"],
    // 40 MB of message in base64.
    body_max: 56 * 1024 * 1024,
    operations: OPERATIONS,
    refuse: error::refuse,
    ..Api::PLAIN
};

// Lists have two routes: older SDKs GET, newer ones POST.
static OPERATIONS: &[Operation] = operations! {
    SendEmail [POST "/v2/email/outbound-emails"] => sending::send_email,
    GetAccount [GET "/v2/email/account"] => account::get_account,
    CreateEmailIdentity [POST "/v2/email/identities"] => identities::create_email_identity,
    GetEmailIdentity [GET "/v2/email/identities/{EmailIdentity}"] => identities::get_email_identity,
    ListEmailIdentities [GET "/v2/email/identities", POST "/v2/email/list-identities"]
        => identities::list_email_identities,
    DeleteEmailIdentity [DELETE "/v2/email/identities/{EmailIdentity}"] => identities::delete_email_identity,
    CreateConfigurationSet [POST "/v2/email/configuration-sets"] => configuration_sets::create_configuration_set,
    GetConfigurationSet [GET "/v2/email/configuration-sets/{ConfigurationSetName}"]
        => configuration_sets::get_configuration_set,
    ListConfigurationSets [GET "/v2/email/configuration-sets", POST "/v2/email/list-configuration-sets"]
        => configuration_sets::list_configuration_sets,
    DeleteConfigurationSet [DELETE "/v2/email/configuration-sets/{ConfigurationSetName}"]
        => configuration_sets::delete_configuration_set,
    CreateConfigurationSetEventDestination
        [POST "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations"]
        => event_destinations::create_configuration_set_event_destination,
    GetConfigurationSetEventDestinations
        [GET "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations"]
        => event_destinations::get_configuration_set_event_destinations,
    DeleteConfigurationSetEventDestination
        [DELETE "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations/{EventDestinationName}"]
        => event_destinations::delete_configuration_set_event_destination,
};

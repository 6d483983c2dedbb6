//! Import jobs: addresses of an object in the object store go on or off the account's suppression list.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::Time;
use crate::aws::services::Services;
use crate::aws::ses::texts::list_missing;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::{self, USUAL};
use crate::base::Page;
use crate::mail::sending::ImportError;
use crate::store::import_jobs::{ImportAction, ImportJob, ImportStatus};

/// Where the addresses go: one of the two.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImportDestination {
    #[serde(skip_serializing_if = "Option::is_none")]
    suppression_list_destination: Option<SuppressionListDestination>,
    #[serde(skip_serializing)]
    contact_list_destination: Option<ContactListDestination>,
}

/// The account's suppression list.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressionListDestination {
    suppression_list_import_action: String,
}

/// A contact list. There are none here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ContactListDestination {
    contact_list_name: String,
    contact_list_import_action: String,
}

/// Where the addresses come from.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImportDataSource {
    #[serde(rename = "S3Url")]
    s3_url: String,
    data_format: String,
}

/// The job to do.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateImportJobRequest {
    import_destination: ImportDestination,
    import_data_source: ImportDataSource,
}

/// The job's name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateImportJobResponse {
    job_id: String,
}

impl From<ImportError> for SesV2Error {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Url(_) => Self::BadRequest("S3Url must be s3://<bucket_name>/<object>.".to_owned()),
            ImportError::Sandbox => {
                Self::BadRequest("Import jobs are not available while the account is in the sandbox.".to_owned())
            }
            ImportError::TooMany => Self::LimitExceeded("Too many import jobs are being processed.".to_owned()),
            ImportError::Internal(error) => Self::Internal(error),
        }
    }
}

/// Begins to put the addresses of an object on the account's suppression list, or to take them off.
///
/// # Errors
/// A URL, a format or an action that cannot be; a contact list; an account in the sandbox; too many jobs.
pub(super) async fn create_import_job(
    services: &Services,
    caller: &Caller,
    input: CreateImportJobRequest,
) -> Result<CreateImportJobResponse, SesV2Error> {
    let wrong = |text: &str| SesV2Error::BadRequest(text.to_owned());
    let to = input.import_destination;
    let list = match (to.suppression_list_destination, to.contact_list_destination) {
        (Some(list), None) => list,
        // The model has no NotFoundException for this operation.
        (None, Some(list)) => {
            if list.contact_list_import_action.parse::<ImportAction>().is_err() {
                return Err(wrong("ContactListImportAction must be one of [DELETE, PUT]."));
            }
            let name: String = list.contact_list_name.chars().take(64).collect();
            return Err(SesV2Error::BadRequest(list_missing(&name)));
        }
        _ => return Err(wrong("ImportDestination must have one destination.")),
    };
    let action = list.suppression_list_import_action.parse();
    let action = action.map_err(|_| wrong("SuppressionListImportAction must be one of [DELETE, PUT]."))?;
    let from = input.import_data_source;
    let format = from.data_format.parse().map_err(|_| wrong("DataFormat must be one of [CSV, JSON]."))?;
    let job_id = services.imports.create(&caller.account, &caller.region, action, &from.s3_url, format).await?;
    Ok(CreateImportJobResponse { job_id })
}

/// The job to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetImportJobRequest {
    job_id: String,
}

/// A job, and how far it has come.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetImportJobResponse {
    #[serde(flatten)]
    summary: ImportJobSummary,
    import_data_source: ImportDataSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_info: Option<FailureInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_timestamp: Option<Time>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FailureInfo {
    /// AWS signs a URL; ours names the object.
    #[serde(rename = "FailedRecordsS3Url", skip_serializing_if = "Option::is_none")]
    failed_records_s3_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// A job in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImportJobSummary {
    job_id: String,
    import_destination: ImportDestination,
    job_status: ImportStatus,
    created_timestamp: Time,
    processed_records_count: i64,
    failed_records_count: i64,
}

fn summary(job: &ImportJob) -> ImportJobSummary {
    let list = SuppressionListDestination { suppression_list_import_action: job.action.to_string() };
    ImportJobSummary {
        job_id: job.id.clone(),
        import_destination: ImportDestination {
            suppression_list_destination: Some(list),
            contact_list_destination: None,
        },
        job_status: job.status,
        created_timestamp: Time(job.created_at),
        processed_records_count: job.processed,
        failed_records_count: job.failed,
    }
}

/// Tells of one job.
///
/// # Errors
/// A job that does not exist.
pub(super) async fn get_import_job(
    services: &Services,
    caller: &Caller,
    input: GetImportJobRequest,
) -> Result<GetImportJobResponse, SesV2Error> {
    let found = services.imports.get(&caller.account, &caller.region, &input.job_id).await?;
    let shown: String = input.job_id.chars().take(64).collect();
    let job = found.ok_or_else(|| SesV2Error::NotFound(format!("Import job <{shown}> does not exist.")))?;
    let failed = job.error.is_some() || job.failed_url.is_some();
    Ok(GetImportJobResponse {
        summary: summary(&job),
        import_data_source: ImportDataSource { s3_url: job.url, data_format: job.format.to_string() },
        failure_info: failed.then_some(FailureInfo { failed_records_s3_url: job.failed_url, error_message: job.error }),
        completed_timestamp: job.completed_at.map(Time),
    })
}

/// Which page of which jobs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListImportJobsRequest {
    import_destination_type: Option<String>,
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of jobs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListImportJobsResponse {
    import_jobs: Vec<ImportJobSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's jobs, newest first.
///
/// # Errors
/// A token, a page size or a type that cannot be.
pub(super) async fn list_import_jobs(
    services: &Services,
    caller: &Caller,
    input: ListImportJobsRequest,
) -> Result<ListImportJobsResponse, SesV2Error> {
    let asked = page::read(&USUAL, input.next_token.as_deref(), input.page_size)?;
    let bad_token = || SesV2Error::BadRequest("The specified token is invalid.".to_owned());
    let before = if asked.after.is_empty() { i64::MAX } else { asked.after.parse().map_err(|_| bad_token())? };
    match input.import_destination_type.as_deref() {
        None | Some("SUPPRESSION_LIST") => {}
        Some("CONTACT_LIST") => return Ok(ListImportJobsResponse { import_jobs: vec![], next_token: None }),
        Some(_) => {
            let text = "ImportDestinationType must be one of [SUPPRESSION_LIST, CONTACT_LIST].";
            return Err(SesV2Error::BadRequest(text.to_owned()));
        }
    }
    let jobs = services.imports.list(&caller.account, &caller.region, before, asked.limit()).await?;
    let page = Page::cut(jobs, asked.size, |job| job.n.to_string()).map(|job| summary(&job));
    let (import_jobs, next_token) = paging::shown(page);
    Ok(ListImportJobsResponse { import_jobs, next_token })
}

//! Carries out a command of `postrider admin …`, and gives the lines to print.
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use postrider::app::admin::{
    Admin, AdminError, Asked, Deed, Form, Place, Whose, classify, decrypt_object, server_dns_records,
};
use postrider::base::Scope;
use postrider::config::Settings;
use postrider::outlets::objects::INSTRUCTION;
use postrider::store::import_jobs::{ImportAction, ImportFormat};

use crate::cli::admin::{AccountCommand, AdminCommand, JOBS_MAX, JobsCommand, KeyCommand, Of, RecordFormat};
use crate::cli::print::{note, wanted};

/// Carries it out. `whose` is what its flags say of the account and the region, whatever the command.
///
/// # Errors
/// What stands in the way, for the operator.
pub(crate) async fn carry_out(place: &Place, command: AdminCommand, whose: &Whose) -> Result<Vec<String>, AdminError> {
    let settings = &place.settings;
    let admin = || open(place, whose);
    let of = |of: Of| Ok::<_, AdminError>(Scope { account: of.account, region: of.region });
    match command {
        AdminCommand::Account(command) => account(admin().await?, command).await,
        AdminCommand::Key(command) => key(admin().await?, command).await,
        AdminCommand::SmtpCredentials { key, of } => admin().await?.smtp_credentials(&key, &of.region).await,
        AdminCommand::GrantProduction { of: whose, max_24_hour, max_per_second } => {
            admin().await?.grant_production(&of(whose)?, max_24_hour, max_per_second).await
        }
        AdminCommand::ProductionRequests => admin().await?.production_requests().await,
        AdminCommand::DenyProduction { of: whose } => admin().await?.deny_production(&of(whose)?).await,
        AdminCommand::ReceiptRule { rule_set, file, after, of: whose } => {
            let read = read(&file).and_then(|data| String::from_utf8(data).map_err(std::io::Error::other));
            let json = read.map_err(|error| AdminError::Rule(format!("cannot read {}: {error}", file.display())))?;
            let owner = of(whose)?;
            let kept = admin().await?.put_receipt_rule(&owner, &rule_set, after.as_deref(), &json, settings).await?;
            warn(&kept.warnings);
            Ok(vec![kept.rule])
        }
        AdminCommand::DecryptObject { object, metadata, output } => {
            decrypt(settings, &object, metadata, output.as_deref()).map(|()| vec![])
        }
        AdminCommand::Release => admin().await?.release(settings).await,
        AdminCommand::MasterKeys => admin().await?.master_keys(settings).await,
        AdminCommand::Classify { file, host, stage } => {
            let data = read(&file).map_err(|error| AdminError::File(file.display().to_string(), error))?;
            classify(settings, &data, &Asked { host, stage })
        }
        AdminCommand::Jobs(JobsCommand::List { queue, limit }) => {
            let (lines, more) = admin().await?.jobs(queue.map(Into::into), limit).await?;
            if more {
                note(&format!("there are more; --limit shows up to {JOBS_MAX}"));
            }
            Ok(lines)
        }
        AdminCommand::Jobs(JobsCommand::Retry(given)) => admin().await?.do_with_jobs(Deed::Retry, given.into()).await,
        AdminCommand::Jobs(JobsCommand::Drop(given)) => admin().await?.do_with_jobs(Deed::Drop, given.into()).await,
        AdminCommand::Deliveries { to, limit } => admin().await?.deliveries(&to, limit).await,
        AdminCommand::Transcript { message_id } => admin().await?.transcript(&message_id).await,
        AdminCommand::ExportSuppressed { of: whose } => admin().await?.export_suppressed(&of(whose)?).await,
        AdminCommand::ImportSuppressed { file, json, delete, of: whose } => {
            let problem = |error| AdminError::Addresses(format!("cannot read {}: {error}", file.display()));
            let data = read(&file).map_err(problem)?;
            let format = if json { ImportFormat::Json } else { ImportFormat::Csv };
            let action = if delete { ImportAction::Delete } else { ImportAction::Put };
            admin().await?.import_suppressed(&of(whose)?, &data, format, action).await
        }
        AdminCommand::DnsRecords { domain, check, format, of: whose, .. } => {
            let form = match format {
                RecordFormat::Text => Form::Text,
                RecordFormat::Zone => Form::Zone,
            };
            match domain {
                Some(domain) => admin().await?.dns_records(&of(whose)?, domain.as_str(), form, check).await,
                None => server_dns_records(settings, form, check).await,
            }
        }
        AdminCommand::RotateDkim { domain, of: whose } => {
            admin().await?.rotate_dkim(&of(whose)?, domain.as_str()).await
        }
        AdminCommand::DkimEd25519 { domain, of: whose, off } => {
            admin().await?.dkim_ed25519(&of(whose)?, domain.as_str(), !off).await
        }
    }
}

async fn account(admin: Admin, command: AccountCommand) -> Result<Vec<String>, AdminError> {
    match command {
        AccountCommand::Create { name, id } => admin.create_account(id, &name).await,
        AccountCommand::List => admin.list_accounts().await,
        AccountCommand::Suspend { of } => admin.suspend_account(&of.account).await,
        AccountCommand::Resume { of } => admin.resume_account(&of.account).await,
        AccountCommand::Delete { of, confirm } => admin.delete_account(&of.account, confirm.as_ref()).await,
    }
}

async fn key(admin: Admin, command: KeyCommand) -> Result<Vec<String>, AdminError> {
    match command {
        KeyCommand::Create { of } => admin.create_key(&of.account).await,
        KeyCommand::List { of } => admin.list_keys(&of.account).await,
        KeyCommand::Deactivate { id } => admin.deactivate_key(&id).await,
        KeyCommand::Activate { id } => admin.activate_key(&id).await,
        KeyCommand::Delete { id } => admin.delete_key(&id).await,
    }
}

/// Opens the store, and says on standard error where no server runs on it.
async fn open(place: &Place, whose: &Whose) -> Result<Admin, AdminError> {
    let admin = Admin::open(place, whose).await?;
    if let Some(line) = place.note() {
        note(&line);
    }
    Ok(admin)
}

/// Standard output has what was asked for alone.
fn warn(warnings: &[String]) {
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
}

/// A file, or what stands on standard input.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file);
    }
    let mut data = Vec::new();
    std::io::stdin().read_to_end(&mut data).map(|_| data)
}

fn decrypt(
    settings: &Settings,
    object: &Path,
    metadata: Option<PathBuf>,
    output: Option<&Path>,
) -> Result<(), AdminError> {
    let beside = || PathBuf::from(format!("{}{INSTRUCTION}", object.display()));
    let metadata = metadata.unwrap_or_else(beside);
    let cannot = |path: &Path| {
        let shown = path.display().to_string();
        move |error| AdminError::File(shown, error)
    };
    let text = std::fs::read_to_string(&metadata).map_err(cannot(&metadata))?;
    let body = read(object).map_err(cannot(object))?;
    let mail = decrypt_object(settings, &text, body)?;
    match output {
        Some(path) => std::fs::write(path, mail).map_err(cannot(path)),
        None => wanted(std::io::stdout().write_all(&mail)).map_err(cannot(Path::new("standard output"))),
    }
}

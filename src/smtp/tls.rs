//! The certificate of the SMTP listeners: from PEM files, or one that we sign ourselves and keep in the data directory.
use std::fs;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::base::Timestamp;
use crate::smtp::validity;

/// The name of our own certificate and its key in the data directory: one file, so that they cannot part.
const OWN_FILE: &str = "smtp-tls.pem";

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no certificate or key.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, rustls::pki_types::pem::Error),
    /// The file holds no certificate.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// Certificate and key do not fit, or are of a kind that rustls does not take.
    #[error("the certificate in {0} cannot be used: {1}")]
    Unusable(PathBuf, rustls::Error),
    /// Our own certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    NotMade(#[from] rcgen::Error),
    /// Our own certificate cannot be kept.
    #[error("cannot write {0}: {1}")]
    NotKept(PathBuf, io::Error),
}

/// What shakes hands, and when its certificate ends, where that can be read.
type Current = (Arc<ServerConfig>, Option<Timestamp>);

/// A certificate in use. [`Tls::reload`] changes it for new connections without a restart.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
    /// A digest of what the files held when they were last looked at.
    seen: Mutex<[u8; 32]>,
}

impl Tls {
    /// Reads a certificate chain and its private key from PEM files; both may be the same file.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = RwLock::new(read(certificate, key)?);
        let seen = Mutex::new(digest(certificate, key));
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current, seen })
    }

    /// The certificate that we signed ourselves for `hostname`, kept in `data_dir` (mode 0600); made where there is none.
    pub fn own(data_dir: &Path, hostname: &str) -> Result<Self, TlsError> {
        let file = data_dir.join(OWN_FILE);
        if !file.exists() {
            let made = rcgen::generate_simple_self_signed(vec![hostname.to_owned(), "localhost".to_owned()])?;
            let pem = made.cert.pem() + &made.signing_key.serialize_pem();
            keep(&file, pem.as_bytes()).map_err(|cause| TlsError::NotKept(file.clone(), cause))?;
        }
        Self::from_files(&file, &file)
    }

    /// Reads the files again if they changed since they were last looked at; whether there is a new certificate. One
    /// error for one change: files that are no good are not looked at again before they change.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let now = digest(&self.certificate, &self.key);
        let changed = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *seen, now) != now
        };
        if changed {
            self.reload()?;
        }
        Ok(changed)
    }

    /// Reads the files again. When they are no good, the old certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// When the certificate in use ends; `None` when that cannot be read.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// The file of the certificate.
    pub fn file(&self) -> &Path {
        &self.certificate
    }

    /// What shakes hands with the next client.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

/// A file that cannot be read counts as empty.
fn digest(certificate: &Path, key: &Path) -> [u8; 32] {
    let each = [certificate, key].map(|file| Sha256::digest(fs::read(file).unwrap_or_default()));
    Sha256::digest(each.concat()).into()
}

fn read(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |cause| TlsError::Unreadable(file, cause)
    };
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(unreadable(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let until = chain.first().and_then(|first| validity::end_of(first));
    let private = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|cause| TlsError::Unusable(certificate.to_owned(), cause))?;
    Ok((Arc::new(config), until))
}

/// Writes a file that only we can read, whole or not at all.
fn keep(file: &Path, content: &[u8]) -> io::Result<()> {
    let draft = file.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&draft)?;
    out.write_all(content)?;
    out.sync_all()?;
    fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn our_own_certificate_is_made_once_and_kept_from_others() {
        let dir = tempfile::tempdir().expect("a directory");
        Tls::own(dir.path(), "mx.example").expect("a certificate");
        let file = dir.path().join(OWN_FILE);
        let first = fs::read(&file).expect("the file");
        assert_eq!(fs::metadata(&file).expect("its mode").permissions().mode() & 0o777, 0o600);
        Tls::own(dir.path(), "mx.example").expect("the same certificate").reload().expect("once more");
        assert_eq!(fs::read(&file).expect("the file"), first);
    }

    #[test]
    fn a_bad_certificate_is_a_clear_error_and_does_not_replace_a_good_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let tls = Tls::own(dir.path(), "mx.example").expect("a certificate");
        let before = Arc::as_ptr(tls.acceptor().config());
        fs::write(dir.path().join(OWN_FILE), "nothing").expect("a broken file");
        assert!(matches!(tls.reload(), Err(TlsError::NoCertificate(_))));
        assert_eq!(Arc::as_ptr(tls.acceptor().config()), before);
        assert!(tls.refresh().is_err() && matches!(tls.refresh(), Ok(false)), "one change, one error");
        let missing = dir.path().join("missing.pem");
        assert!(matches!(Tls::from_files(&missing, &missing), Err(TlsError::Unreadable(..))));
    }

    #[test]
    fn a_new_certificate_is_taken_up_when_its_files_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let tls = Tls::own(dir.path(), "mx.example").expect("a certificate");
        let before = Arc::as_ptr(tls.acceptor().config());
        assert!(matches!(tls.refresh(), Ok(false)));
        assert_eq!(Arc::as_ptr(tls.acceptor().config()), before);
        fs::remove_file(dir.path().join(OWN_FILE)).expect("removed");
        assert!(tls.refresh().is_err(), "the file is away");
        Tls::own(dir.path(), "mx.example").expect("another certificate");
        assert!(matches!(tls.refresh(), Ok(true)));
        assert_ne!(Arc::as_ptr(tls.acceptor().config()), before);
    }
}

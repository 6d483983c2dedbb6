//! The limit of open files: each connection is one, and many systems begin with 1024.
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to what this process may have. Where that fails, the old one stays.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

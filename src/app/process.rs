//! What the process asks of the machine: open files, and pages of memory of the usual size.
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to what this process may have: each connection is one, and many systems begin with 1024.
/// Where that fails, the old one stays.
pub(super) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(current, maximum)| {
        if current == maximum { Ok(()) } else { setrlimit(Resource::RLIMIT_NOFILE, maximum, maximum) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Asks Linux for pages of the usual size: the allocator would get huge ones, of 2 MiB, and an idle server would hold half as
/// much memory again. To be called first of all. A system that does not know of this loses nothing.
pub fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

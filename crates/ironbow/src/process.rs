//! What the operating system allows the process: as many open files as it may have, and no core dump.

/// Files that may be open from now on: connections of callers and to backends, and a few more. `None` where that cannot be told.
///
/// A core dump would hold keys, prompts and answers, so none is written. Each limit that cannot be set stays as it was.
#[cfg(unix)]
pub(crate) fn settle_limits() -> Option<u64> {
    use rlimit::Resource;
    // The hard limit too: nothing that runs in this process can raise it again.
    let _kept = Resource::CORE.set(0, 0);
    rlimit::increase_nofile_limit(rlimit::INFINITY).ok()
}

/// Elsewhere the system's own limits stand.
#[cfg(not(unix))]
pub(crate) fn settle_limits() -> Option<u64> {
    None
}

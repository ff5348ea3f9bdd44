//! What keeps secrets from the disk: no core dumps, no debugger, no swap.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Does what this process may. What it may not is in the log and stops nothing: the unit
/// and the image say the same from outside.
pub fn harden() {
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("this process can be looked into: {error}");
    }
    // Read and not asked for: a filter of system calls may forbid to ask.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if limit(&limits, "Max core file size") != Some("0")
        && let Err(error) = rustix::process::setrlimit(Resource::Core, none)
    {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    // With a limit, memory that is wanted later could be refused, and that would end the process.
    if limit(&limits, "Max locked memory") != Some("unlimited") {
        tracing::info!("memory may be swapped out: LimitMEMLOCK is not infinity");
        return;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = rustix::mm::mlockall(all) {
        tracing::info!("memory may be swapped out: {error}");
    }
}

/// The limit in force, of a line in `/proc/self/limits` (proc(5)).
fn limit<'a>(limits: &'a str, name: &str) -> Option<&'a str> {
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line.strip_prefix(name)?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max core file size        0                    unlimited            bytes     \n\
                      Max locked memory         8388608              8388608              bytes     \n";
        assert_eq!(limit(limits, "Max core file size"), Some("0"));
        assert_eq!(limit(limits, "Max locked memory"), Some("8388608"));
        assert_eq!(limit(limits, "Max processes"), None);
    }
}

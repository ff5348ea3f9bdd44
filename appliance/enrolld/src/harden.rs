//! What keeps secrets from the disk: no core dumps, no debugger, no swap.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Does what this process may. What it may not is in the log and stops nothing: the unit
/// and the image say the same from outside.
pub fn harden() {
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("this process can be looked into: {error}");
    }
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        tracing::warn!("core dumps cannot be switched off: {error}");
    }
    // With a limit, memory that is wanted later could be refused, and that would end the process.
    if rustix::process::getrlimit(Resource::Memlock).current.is_some() {
        tracing::info!("memory may be swapped out: LimitMEMLOCK is not infinity");
        return;
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = rustix::mm::mlockall(all) {
        tracing::info!("memory may be swapped out: {error}");
    }
}

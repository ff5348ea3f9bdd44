//! Serving a device to whoever connects, as `key-twin` does.

use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::control;
use super::{Device, Exporter};
use crate::line::Listener;

/// Where a device is served.
#[derive(Debug, Clone)]
pub struct Sockets {
    /// For the peer that has the ports: QEMU.
    pub usbredir: PathBuf,
    /// For commands ([`control`]).
    pub control: Option<PathBuf>,
    /// Whether it is plugged in from the start.
    pub plugged: bool,
}

/// Serves `device` until one of its sockets fails, and takes them away in any case.
///
/// # Errors
///
/// When a socket cannot be made or fails.
pub async fn serve<D: Device>(device: D, sockets: &Sockets) -> io::Result<()> {
    let listener = Listener::bind(&sockets.usbredir)?;
    let (to, mut commands) = mpsc::channel(16);
    let exported = Exporter::new(device, sockets.plugged).serve(&listener, &mut commands);
    match &sockets.control {
        Some(path) => tokio::select! {
            result = exported => result,
            result = control::serve(path, to) => result,
        },
        None => {
            // Held, so that the device goes on being served without commands.
            let result = exported.await;
            drop(to);
            result
        }
    }
}

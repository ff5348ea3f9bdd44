//! Why the watch cannot begin.

/// Why the watch cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The kernel has no descriptor or thread left.
    #[error("the station cannot watch its USB ports: {0}; restart the station")]
    System(#[from] std::io::Error),
}

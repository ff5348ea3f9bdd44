//! The kernel's random source.

/// The kernel's random source: seeds come from nowhere else. It cannot fail once
/// the kernel's pool is filled, which it was before any program of ours started
/// (getrandom(2): blocks until then, and never fails afterwards).
pub(crate) fn kernel_random() -> impl rand::CryptoRng + Send + 'static {
    rand::rand_core::UnwrapErr(rand::rngs::SysRng)
}

//! What a key forgets without power.

use core::time::Duration;

use zeroize::Zeroizing;

use super::memory::Slot;

/// A temporary password, once it is agreed on.
pub(super) type Temporary = Option<Zeroizing<[u8; 25]>>;

/// From power-up to power-down.
pub(super) struct Session {
    pub(super) admin: Temporary,
    pub(super) user: Temporary,
    /// The CRC that the next authorized command has (older firmware).
    pub(super) authorized: Option<u32>,
    pub(super) user_authorized: Option<u32>,
    /// The slot that is being sent in parts; it outlives a failed write.
    pub(super) parts: Slot,
    pub(super) parts_begun: bool,
    /// Says "ok" to what is not authorized, since it was sent an old command
    /// (newer Storage).
    pub(super) silenced: bool,
    /// Whose PIN was presented to a Storage, to be replaced: 'A' or 'P'.
    pub(super) presented: Option<u8>,
    /// What the clock was set to, and when by the key's own time.
    pub(super) clock: (u64, Duration),
}

impl Session {
    pub(super) fn begin(now: Duration) -> Self {
        Self {
            admin: None,
            user: None,
            authorized: None,
            user_authorized: None,
            parts: no_parts(),
            parts_begun: false,
            silenced: false,
            presented: None,
            clock: (0, now),
        }
    }

    /// Seconds since 1970, as far as the key knows.
    pub(super) fn unix(&self, now: Duration) -> u64 {
        let (set, at) = self.clock;
        set.wrapping_add(now.saturating_sub(at).as_secs())
    }

    /// Whether a field is the administrator's temporary password.
    pub(super) fn is_admin(&self, field: &[u8; 25]) -> bool {
        self.admin.as_ref().is_some_and(|password| **password == *field)
    }

    /// Whether a field is the user's temporary password.
    pub(super) fn is_user(&self, field: &[u8; 25]) -> bool {
        self.user.as_ref().is_some_and(|password| **password == *field)
    }
}

pub(super) fn no_parts() -> Slot {
    Slot { name: [0; 15], secret: Zeroizing::new([0; 40]), config: 0, token_id: [0; 13], factor: 0 }
}

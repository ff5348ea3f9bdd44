//! The one thing of Nitrokey's admin application that the station asks for: the
//! firmware's version. That application is not published by itself.

use ctaphid_app::{App, Command, Error, VendorCommand};
use heapless_bytes::BytesView;

/// Answers the vendor command 61.
pub(crate) struct VersionApp {
    /// Major, minor, patch.
    pub(crate) version: [u8; 3],
}

impl App<'static> for VersionApp {
    fn commands(&self) -> &'static [Command] {
        &[Command::Vendor(VendorCommand::H61)]
    }

    fn call(&mut self, _: Command, request: &[u8], response: &mut BytesView) -> Result<(), Error> {
        let [major, minor, patch] = self.version;
        // Text when that is asked for (1), else packed into 32 bits.
        let answer = if request == [1] {
            format!("{major}.{minor}.{patch}").into_bytes()
        } else {
            let packed = u32::from(major) << 22 | u32::from(minor) << 6 | u32::from(patch);
            packed.to_be_bytes().to_vec()
        };
        response.try_extend(answer).map_err(|_| Error::InvalidLength)
    }
}

//! Which of Nitrokey's backends serves which of its applications: as in the
//! firmware (nitrokey-3-firmware `components/apps/src/dispatch.rs`), without the
//! ones that nothing here uses.

use trussed::backend::{Backend as _, BackendId};
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types::Context;
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::{Bytes, Location};
use trussed_fs_info::FsInfoExtension;
use trussed_hkdf::HkdfExtension;
use trussed_staging::{StagingBackend, StagingContext};

/// The backends, where they are asked in this order.
pub(crate) const OF_SECRETS: &[BackendId<Backend>] = &[BackendId::Custom(Backend::Auth), BackendId::Core];
pub(crate) const OF_FIDO: &[BackendId<Backend>] = &[BackendId::Custom(Backend::Staging), BackendId::Core];

/// A backend besides the core.
pub(crate) enum Backend {
    /// PINs.
    Auth,
    /// What is not in the core yet.
    Staging,
}

/// What the backends add to the core.
pub(crate) enum Extension {
    Auth,
    Chunked,
    Hkdf,
    FsInfo,
}

impl From<Extension> for u8 {
    fn from(extension: Extension) -> Self {
        match extension {
            Extension::Auth => 0,
            Extension::Chunked => 1,
            Extension::Hkdf => 2,
            Extension::FsInfo => 3,
        }
    }
}

impl TryFrom<u8> for Extension {
    type Error = Error;

    fn try_from(byte: u8) -> Result<Self, Error> {
        match byte {
            0 => Ok(Self::Auth),
            1 => Ok(Self::Chunked),
            2 => Ok(Self::Hkdf),
            3 => Ok(Self::FsInfo),
            _ => Err(Error::FunctionNotSupported),
        }
    }
}

/// The backends themselves.
pub(crate) struct Dispatch {
    auth: AuthBackend,
    staging: StagingBackend,
}

/// What the backends keep for one application.
#[derive(Default)]
pub(crate) struct DispatchContext {
    auth: AuthContext,
    staging: StagingContext,
}

impl Dispatch {
    pub(crate) fn new() -> Self {
        // Real keys have a number of their own in their hardware.
        let hardware_key = Bytes::try_from(b"a twin of a Nitrokey 3".as_slice()).unwrap_or_default();
        Self {
            auth: AuthBackend::with_hw_key(Location::Internal, hardware_key, FilesystemLayout::V1),
            staging: StagingBackend::new(),
        }
    }
}

impl ExtensionDispatch for Dispatch {
    type BackendId = Backend;
    type Context = DispatchContext;
    type ExtensionId = Extension;

    fn core_request<P: Platform>(
        &mut self,
        backend: &Backend,
        ctx: &mut Context<DispatchContext>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let Context { core, backends, .. } = ctx;
        match backend {
            Backend::Auth => self.auth.request(core, &mut backends.auth, request, resources),
            Backend::Staging => self.staging.request(core, &mut backends.staging, request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        backend: &Backend,
        extension: &Extension,
        ctx: &mut Context<DispatchContext>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let Context { core, backends, .. } = ctx;
        let staging = (&mut self.staging, &mut backends.staging);
        match (backend, extension) {
            (Backend::Auth, Extension::Auth) => {
                self.auth.extension_request_serialized(core, &mut backends.auth, request, resources)
            }
            (Backend::Staging, Extension::Chunked) => {
                ExtensionImpl::<ChunkedExtension>::extension_request_serialized(
                    staging.0, core, staging.1, request, resources,
                )
            }
            (Backend::Staging, Extension::Hkdf) => {
                ExtensionImpl::<HkdfExtension>::extension_request_serialized(
                    staging.0, core, staging.1, request, resources,
                )
            }
            (Backend::Staging, Extension::FsInfo) => {
                ExtensionImpl::<FsInfoExtension>::extension_request_serialized(
                    staging.0, core, staging.1, request, resources,
                )
            }
            _ => Err(Error::RequestNotAvailable),
        }
    }
}

impl ExtensionId<AuthExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Auth;
}

impl ExtensionId<ChunkedExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Chunked;
}

impl ExtensionId<HkdfExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::Hkdf;
}

impl ExtensionId<FsInfoExtension> for Dispatch {
    type Id = Extension;
    const ID: Extension = Extension::FsInfo;
}

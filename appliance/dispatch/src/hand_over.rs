//! Secrets for people, encrypted to operators' own keys, as files on the disk.
//!
//! Each secret is a file of its own, in the armored form of age (age-encryption.org/v1), so
//! that nothing is ever decrypted here to add to it, and a power cut costs nothing that was
//! confirmed. An operator reads one with the SSH key that logs in to the station:
//!
//! ```text
//! age -d -i ~/.ssh/id_ed25519 UBOM00012345_1.4f….age
//! ```
//!
//! The station cannot read them. It never writes a secret anywhere else.

use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use station::engine::record::EnrollmentId;
use station::engine::step::HandOver;
use station::papers::hand_over;
use zeroize::Zeroizing;

use crate::random::kernel_random;
use crate::store::HandOverPort;
use seal::{NoRecipient, Recipients};

/// A directory of sealed files. Copies share who can read what is put into it.
#[derive(Clone)]
pub struct SealedDirectory {
    directory: Arc<Path>,
    recipients: Arc<Mutex<Option<Recipients>>>,
}

/// A file in a drawer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// Its name, without the ending `.age`.
    pub name: String,
    /// How many bytes it has, sealed.
    pub bytes: u64,
    /// When it was written.
    pub at: SystemTime,
}

/// The longest name of a file that is written, without what is added while it is written.
const LONGEST_NAME: usize = 200;

impl SealedDirectory {
    /// Files in `directory`, which is made when it is not there, for the owner alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(directory: &Path, recipients: Recipients) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { directory: directory.into(), recipients: Arc::new(Mutex::new(Some(recipients))) })
    }

    /// The same, with nobody yet who could read it: until [`Self::readable_by`], nothing is put into it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn for_nobody(directory: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { directory: directory.into(), recipients: Arc::default() })
    }

    /// From now on, what is put into it is for those. What is there stays for whom it was.
    pub fn readable_by(&self, recipients: Option<Recipients>) {
        *self.recipients.lock().unwrap_or_else(PoisonError::into_inner) = recipients;
    }

    /// Puts a sealed file onto the disk; when this returns, it survives a power cut. A file of
    /// the same name is replaced as a whole.
    ///
    /// # Errors
    /// Those of the file system; then the file is as it was.
    pub fn put(&self, name: &str, plain: &[u8]) -> io::Result<()> {
        let path = self.path(name)?;
        let recipients = self.recipients.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let recipients = recipients.ok_or_else(|| io::Error::other(NoRecipient::Nobody))?;
        let sealed = recipients.seal(plain, &mut kernel_random()).map_err(io::Error::other)?;
        let beside = path.with_extension("age.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&*self.directory)?.sync_all()
    }

    /// The names of all files, in order.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&*self.directory)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            names.extend(name.strip_suffix(".age").map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// All files, by name.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn files(&self) -> io::Result<Vec<SealedFile>> {
        let mut files = Vec::new();
        for name in self.names()? {
            let about = fs::metadata(self.path(&name)?)?;
            files.push(SealedFile { name, bytes: about.len(), at: about.modified()? });
        }
        Ok(files)
    }

    /// A sealed file, as it can be shown on any terminal.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sealed(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name)?)
    }

    /// Removes a file, after somebody has read it or its token is gone. None there is no error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        File::open(&*self.directory)?.sync_all()
    }

    /// Names come from serials and enrollments; anything else could lead out of the directory.
    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no name of a file here"));
        }
        Ok(self.directory.join(format!("{name}.age")))
    }
}

/// How the names of files with the PIN of a token end: `TOKEN.ENROLLMENT.pin`.
const PIN: &str = ".pin";

/// The enrollment whose PIN is in the file of that name.
fn pin_of(name: &str) -> Option<EnrollmentId> {
    let (_, enrollment) = name.strip_suffix(PIN)?.rsplit_once('.')?;
    EnrollmentId::parse(enrollment)
}

impl HandOverPort for SealedDirectory {
    fn pins(&self) -> Pin<Box<dyn Future<Output = Result<Vec<EnrollmentId>, String>> + Send + '_>> {
        let sealed_directory = self.clone();
        on_disk(move || Ok(sealed_directory.names()?.iter().filter_map(|name| pin_of(name)).collect()))
    }

    fn forget_pin(
        &self,
        enrollment: EnrollmentId,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        let sealed_directory = self.clone();
        on_disk(move || {
            let names = sealed_directory.names()?;
            names
                .iter()
                .filter(|name| pin_of(name) == Some(enrollment))
                .try_for_each(|name| sealed_directory.remove(name))
        })
    }

    fn hand_over(&self, what: HandOver) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        let sealed_directory = self.clone();
        on_disk(move || {
            // An enrollment may hand over more than once, such as a PIN and then a code.
            let secret = match (&what.access_code, &what.admin_pin, &what.pin) {
                (Some(_), _, _) => ".code",
                (None, Some(_), _) => ".admin",
                _ => PIN,
            };
            let name = format!("{}.{}{secret}", what.token, what.enrollment);
            let table: Zeroizing<String> = hand_over::table(&what);
            sealed_directory.put(&name, table.as_bytes())
        })
    }
}

/// Does something that waits for the disk, on a thread for that.
fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = Result<T, String>> + Send>> {
    Box::pin(async move {
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("the file was not written".to_owned()),
        }
    })
}

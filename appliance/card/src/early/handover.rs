//! The slot's root becomes the root, and its first program this process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot};

use super::{Doing, Stopped, say};
use crate::ext4::{self, Superblock};
use crate::sys;
use crate::verity::{self, Tree, Unverified};

/// Where the slot is mounted until it is the root.
const ROOT: &str = "/root";
/// What prepares a slot's surroundings.
const BEGIN: &str = "/usr/bin/card";
/// The first program of a slot.
const FIRST: &str = "/usr/lib/systemd/systemd";

/// `/dev`, `/proc`, `/sys`.
pub(super) fn mount_kernel_files() -> Result<(), Stopped> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    for (kind, to, flags, options) in [
        ("devtmpfs", "/dev", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=0755"),
        ("proc", "/proc", plain, c""),
        ("sysfs", "/sys", plain, c""),
    ] {
        fs::create_dir_all(to).doing(format!("making {to}"))?;
        mount(kind, to, kind, flags, options).doing(format!("mounting {to}"))?;
    }
    Ok(())
}

/// Has the kernel verify the slot, and mounts it.
pub(super) fn mount_slot(partition: &str) -> Result<(), Stopped> {
    let (data, tree) = read_slot(partition)?;
    let control = File::options()
        .read(true)
        .write(true)
        .open("/dev/mapper/control")
        .doing("opening the device mapper")?;
    sys::map(&control, "root", tree.sectors(), "verity", &tree.table(partition))
        .doing("verifying the slot")?;
    say(7, &format!("{} blocks are verified as they are read", data.blocks));
    fs::create_dir_all(ROOT).doing("making a place for the slot")?;
    let flags = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOATIME;
    mount("/dev/dm-0", ROOT, "ext4", flags, c"").doing("mounting the slot")
}

fn read_slot(partition: &str) -> Result<(Superblock, Tree), Stopped> {
    let slot = File::open(partition).doing(format!("opening {partition}"))?;
    let mut first = [0; ext4::LENGTH];
    slot.read_exact_at(&mut first, ext4::START).doing(format!("reading {partition}"))?;
    let data = Superblock::read(&first).ok_or(Unverified::NoFileSystem)?;
    let mut page = [0; verity::BLOCK as usize];
    slot.read_exact_at(&mut page, verity::page_of(&data)?).doing(format!("reading {partition}"))?;
    let tree = Tree::read(&page, &data)?;
    Ok((data, tree))
}

/// Makes the slot the root and starts its first program.
pub(super) fn leave(arguments: &[String]) -> Result<std::convert::Infallible, Stopped> {
    for kept in ["/dev", "/proc", "/sys"] {
        mount_move(kept, format!("{ROOT}{kept}")).doing(format!("moving {kept}"))?;
    }
    chdir(ROOT).doing("entering the slot")?;
    mount_move(".", "/").doing("making the slot the root")?;
    chroot(".").doing("making the slot the root")?;
    chdir("/").doing("entering the slot")?;
    // What it has to say is in the log. A station without its state is no station, so a failure is one
    // of the slot, and the other slot may do better.
    let began = Command::new(BEGIN).arg("begin").env_clear().status().doing(format!("starting {BEGIN}"))?;
    if !began.success() {
        return Err(std::io::Error::other(began.to_string())).doing(format!("{BEGIN} begin"));
    }
    let error = Command::new(FIRST).args(arguments).env_clear().exec();
    Err(error).doing(format!("starting {FIRST}"))
}

//! A small ext4 file system in a file, mounted through a loop device: it can be filled, made read-only, and lose its power.

#![allow(unsafe_code, reason = "EXT4_IOC_SHUTDOWN has no safe wrapper")]

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
};

/// EXT4_IOC_SHUTDOWN: _IOR('X', 125, u32), fs/ext4/ext4.h of Linux.
const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// EXT4_GOING_FLAGS_NOLOGFLUSH: not even ext4's own log is flushed, as when the power is cut.
static NO_LOG_FLUSH: u32 = 2;

/// The file that takes space away.
const BALLAST: &str = "ballast";

/// A mounted file system; unmounted when dropped.
pub(crate) struct DiskImage {
    file: PathBuf,
    mount: PathBuf,
}

impl DiskImage {
    /// Makes and mounts one of `mib` MiB; `None` with a plain message where that is not allowed.
    pub(crate) fn new(folder: &Path, mib: u64) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("not run: mounting a loop device needs root");
            return None;
        }
        let image = Self { file: folder.join("disk.ext4"), mount: folder.join("disk") };
        File::create(&image.file).and_then(|file| file.set_len(mib << 20)).expect("an image file");
        std::fs::create_dir(&image.mount).expect("a mount point");
        let formatted = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image.file));
        if let Err(error) = formatted.and_then(|()| image.mount()) {
            println!("not run: no loop devices here: {error}");
            return None;
        }
        Some(image)
    }

    /// The root of the file system.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power: everything that is not on the device is lost, every later write fails.
    pub(crate) fn cut_power(&self) {
        let root = File::open(&self.mount).expect("mounted");
        // SAFETY: the request reads one u32 through a pointer to a static.
        let result = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const NO_LOG_FLUSH) };
        assert_eq!(result, 0, "cannot shut down: {}", std::io::Error::last_os_error());
    }

    /// Unmounts and mounts again, as a boot does. Nothing may be open on it.
    pub(crate) fn boot(&self) {
        run(Command::new("umount").arg(&self.mount)).expect("nothing holds it");
        self.mount().expect("mounts again");
    }

    /// Makes it read-only, or writable again.
    pub(crate) fn set_read_only(&self, read_only: bool) {
        assert!(self.try_read_only(read_only), "cannot remount");
    }

    /// The same, where the kernel allows it: not while something is being written.
    pub(crate) fn try_read_only(&self, read_only: bool) -> bool {
        let options = if read_only { "remount,ro" } else { "remount,rw" };
        run(Command::new("mount").args(["-o", options]).arg(&self.mount)).is_ok()
    }

    /// Takes all of its space but some; [`Self::free`] gives it back.
    pub(crate) fn fill(&self, left_bytes: u64) {
        let space = rustix::fs::statvfs(&self.mount).expect("mounted");
        let bytes = (space.f_bavail * space.f_frsize).saturating_sub(left_bytes).max(1);
        let file = File::create(self.mount.join(BALLAST)).expect("created");
        // The server may take some of it in the meantime.
        if let Err(error) = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            println!("not filled: {error}");
        }
    }

    /// Gives back what was taken.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.mount.join(BALLAST)).expect("filled before");
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.file).arg(&self.mount))
    }
}

impl Drop for DiskImage {
    fn drop(&mut self) {
        // Lazily: a server that a panicking test left behind may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.mount).output();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

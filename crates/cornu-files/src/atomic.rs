//! Writing a file in one step: whoever looks sees the old file or the new one, never a part.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cornu_array::{Error, Result};

/// Writes `bytes` to `path`, replacing what was there. The bytes go to a temporary file in the same folder, which is synced
/// to the disk and then renamed. If anything fails, the old file is as it was and the temporary one is gone.
///
/// A symbolic link is followed, even to a file that is yet to be; the permissions of a replaced file are kept. A pipe, a
/// device or a socket stays. What a write that was killed left beside the file goes with the next write an hour later.
///
/// # Errors
/// The folder must exist and be writable, with room for the bytes beside the old file, which must not be read-only.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    replace(path, bytes).map_err(|error| explain(path, error))
}

/// The bytes of a file.
///
/// # Errors
/// Those of [`fs::read`]; and a device is refused, which may give bytes without end.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    if fs::metadata(&path).is_ok_and(|found| found.file_type().is_char_device() || found.file_type().is_block_device())
    {
        return Err(io::Error::other("this is a device, not a file"));
    }
    fs::read(path)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = follow(path)?;
    if is_read_only(&target) {
        return Err(ErrorKind::PermissionDenied.into());
    }
    if fs::metadata(&target).is_ok_and(|old| !old.is_file() && !old.is_dir()) {
        return Err(io::Error::other(SPECIAL));
    }
    let (temporary, file) = beside(&target)?;
    let written = fill(file, &target, bytes).and_then(|()| fs::rename(&temporary, &target));
    if let Err(error) = written {
        // The first error is the one to report; if the file cannot be removed either, nothing more can be done.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(&target);
    Ok(())
}

const SPECIAL: &str = "there is a pipe, a device or a socket, which a file would replace";

/// Whether files can be made in a folder: makes one, and removes it.
pub fn is_writable(folder: impl AsRef<Path>) -> bool {
    beside(&folder.as_ref().join("probe")).is_ok_and(|(path, _)| fs::remove_file(path).is_ok())
}

/// Where a chain of symbolic links ends, whether or not there is a file.
fn follow(path: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if !target.is_symlink() {
            return Ok(target);
        }
        let link = fs::read_link(&target)?;
        target = target.parent().map_or(link.clone(), |folder| folder.join(&link));
    }
    Err(io::Error::other("its links go in circles"))
}

/// Whether there is a file that says it must stay as it is. Renaming another over it would need no permission of its own.
fn is_read_only(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|old| old.is_file() && old.permissions().readonly())
}

/// A new file next to `target`, locked while it is written. Processes in containers may have one number, clocks one time:
/// a name that is taken is left alone, and the next one tried. The whole name of the target might leave no room for more.
fn beside(target: &Path) -> io::Result<(PathBuf, File)> {
    const MOST_TRIES: usize = 100;
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(ErrorKind::IsADirectory, "the path names no file"));
    };
    let start: String = name.to_string_lossy().chars().take(40).collect();
    let start = format!(".{start}.");
    clear(target, &start);
    for _ in 0..MOST_TRIES {
        // Each `RandomState` has keys of its own.
        let number = RandomState::new().hash_one(&start);
        let path = target.with_file_name(format!("{start}{number:016x}{ENDING}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Where the system knows no locks, no file is taken for a dead one either.
            Ok(file) => {
                let _ = file.try_lock();
                return Ok((path, file));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

const ENDING: &str = ".tmp";

/// Removes what killed writes of this target left: files that nobody has locked and nobody wrote to for an hour. Whatever
/// cannot be told for certain stays.
fn clear(target: &Path, start: &str) {
    const LONG_AGO: Duration = Duration::from_secs(60 * 60);
    let Ok(entries) = fs::read_dir(folder_of(target)) else { return };
    let own = |name: &str| {
        let number = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(ENDING));
        number.is_some_and(|number| number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(own)) {
        let Ok(found) = entry.metadata() else { continue };
        let old = found.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LONG_AGO);
        if found.is_file() && old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn fill(mut file: File, target: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// Makes the new name itself durable, where the system lets a folder be opened for this. The file is there in any case.
fn sync_folder(target: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder_of(target)).and_then(|folder| folder.sync_all());
    }
}

/// The folder of a file, which may be the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn explain(path: &Path, error: io::Error) -> Error {
    let folder = folder_of(path);
    let (problem, help) = match error.kind() {
        ErrorKind::NotFound => {
            ("its folder does not exist".into(), format!("make the folder `{}` first", folder.display()))
        }
        ErrorKind::PermissionDenied if is_read_only(path) => {
            ("the file that is there is read-only".into(), "choose another name, or make the file writable".into())
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
            "writing there is not permitted".into(),
            format!("choose another place, or make the folder `{}` writable", folder.display()),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ("there is no room left".into(), "free some space; the file that was there before is unchanged".into())
        }
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            (format!("{error}"), "give the path of a file in a folder that exists".into())
        }
        _ if error.to_string() == SPECIAL => (SPECIAL.into(), "choose another name".into()),
        _ => (format!("{error}"), "the file that was there before is unchanged".into()),
    };
    Error::file(format!("`{}` cannot be written: {problem}", path.display())).help(help).caused_by(error)
}

#[cfg(test)]
mod tests {
    use cornu_testkit::folder::Folder;
    use cornu_testkit::process;

    use super::*;

    #[test]
    fn a_file_is_made_and_then_replaced() {
        let folder = Folder::new("atomic-replaced");
        let path = folder.join("model.keras");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(folder.names(), ["model.keras"]);
    }

    #[test]
    fn a_failing_write_leaves_nothing_behind() {
        let folder = Folder::new("atomic-failing");
        let path = folder.join("taken");
        fs::create_dir_all(path.join("full")).unwrap();
        let error = write(&path, b"bytes").unwrap_err();
        assert!(error.message().contains("taken` cannot be written"), "{error}");
        assert_eq!(folder.names(), ["taken"], "the temporary file is gone");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write("no/such/folder/model.keras", b"bytes").unwrap_err().to_string();
        assert!(
            error.contains("its folder does not exist") && error.contains("make the folder `no/such/folder`"),
            "{error}"
        );
    }

    #[test]
    fn names_may_be_as_long_as_the_disk_allows() {
        let folder = Folder::new("atomic-long");
        let name = format!("{}.keras", "n".repeat(249));
        write(folder.join(&name), b"bytes").unwrap();
        assert_eq!(folder.names(), [name]);
    }

    #[test]
    fn a_read_only_file_stays() {
        let folder = Folder::new("atomic-read-only");
        let path = folder.join("model.keras");
        write(&path, b"old").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let error = write(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("is read-only\n  help: choose another name, or make the file writable"), "{error}");
        assert_eq!((fs::read(&path).unwrap(), folder.names()), (b"old".to_vec(), vec!["model.keras".to_owned()]));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_nothing_and_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = Folder::new("atomic-links");
        let path = |name: &str| folder.join(name);
        symlink("second", path("first")).unwrap();
        symlink("real", path("second")).unwrap();
        write(path("first"), b"new").unwrap();
        assert_eq!(fs::read(path("real")).unwrap(), b"new");
        assert!(path("first").is_symlink() && path("second").is_symlink());
        symlink("there", path("here")).unwrap();
        symlink("here", path("there")).unwrap();
        let error = write(path("here"), b"new").unwrap_err().to_string();
        assert!(error.contains("here` cannot be written: its links go in circles"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_permissions_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("atomic-link");
        let (path, link) = (folder.join("real"), folder.join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_others_left_stays_and_only_old_leavings_go() {
        let folder = Folder::new("atomic-left");
        let path = folder.join("model.keras");
        let left = |name: &str, hours: u64| {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
            file
        };
        left(".model.keras.00000000000000aa.tmp", 2);
        left(".model.keras.00000000000000bb.tmp", 0);
        let locked = left(".model.keras.00000000000000cc.tmp", 2);
        locked.lock().unwrap();
        left(".model.keras.notes.tmp", 2);
        left(".other.keras.00000000000000dd.tmp", 2);
        left(&format!(".model.keras.{}-0.tmp", std::process::id()), 2);
        write(&path, b"new").unwrap();
        let own = format!(".model.keras.{}-0.tmp", std::process::id());
        let mut want = vec![
            ".model.keras.00000000000000bb.tmp",
            ".model.keras.00000000000000cc.tmp",
            &own,
            ".model.keras.notes.tmp",
            ".other.keras.00000000000000dd.tmp",
            "model.keras",
        ];
        want.sort_unstable();
        assert_eq!(folder.names(), want);
        // A write that fails takes nothing with it but its own file.
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("full")).unwrap();
        write(&path, b"new").unwrap_err();
        assert_eq!(folder.names().len(), want.len());
    }

    #[test]
    fn many_writers_at_once_leave_one_whole_file() {
        let folder = Folder::new("atomic-many");
        let path = folder.join("model.keras");
        let write_all = |byte: u8| (0..20).for_each(|_| write(&path, &[byte; 5000]).unwrap());
        std::thread::scope(|scope| (0..8).for_each(|byte| drop(scope.spawn(move || write_all(byte)))));
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 5000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(folder.names(), ["model.keras"]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_stay() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = Folder::new("atomic-special");
        let (pipe, link, socket) = (folder.join("pipe"), folder.join("link"), folder.join("socket"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            symlink("pipe", &link).unwrap();
            for path in [&pipe, &link] {
                let error = write(path, b"new").unwrap_err().to_string();
                assert!(error.contains("there is a pipe, a device or a socket"), "{error}");
            }
            assert!(fs::metadata(&link).unwrap().file_type().is_fifo());
        }
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        write(&socket, b"new").unwrap_err();
        assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
        let error = write("/dev/null", b"new").unwrap_err().to_string();
        assert!(error.contains("help: choose another name"), "{error}");
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    /// A folder that takes files and does not tell which it has. The administrator may look into any, so that this runs
    /// as nobody, where there is such a user.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_only_takes_files_is_enough() {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        const NOBODY: u32 = 65534;
        if let Some(path) = process::word() {
            write(Path::new(&path).join("model.keras"), b"new").unwrap();
            return;
        }
        let folder = Folder::new("atomic-write-only");
        fs::set_permissions(&*folder, fs::Permissions::from_mode(0o333)).unwrap();
        let mut again = process::again("atomic::tests::a_folder_that_only_takes_files_is_enough", "", &*folder);
        let output = again.gid(NOBODY).uid(NOBODY).output();
        fs::set_permissions(&*folder, fs::Permissions::from_mode(0o755)).unwrap();
        match output {
            Ok(output) => {
                process::assert_passed(&output);
                assert_eq!(fs::read(folder.join("model.keras")).unwrap(), b"new");
            }
            Err(error) => println!("not tried: no process of another user can be started ({error})"),
        }
    }
}

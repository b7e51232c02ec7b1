//! Files from the net, kept where Keras keeps them, so that both share one copy.
//!
//! A file is looked for in the folder that the environment variable `CORNU_DATASETS` names, then in `datasets` under
//! `KERAS_HOME` or else under `~/.keras`, and only then downloaded. What does not pass its check is never kept.

use std::fs;
use std::path::{Component, Path, PathBuf};

use cornu_array::{Context, Error, Result};
use cornu_files::atomic;
use sha2::{Digest, Sha256};

use crate::datasets;

/// The path of a copy of the file at `origin`, downloaded as `fname` unless there is one.
///
/// `file_hash` is the SHA-256 of the file in hexadecimal digits. A cached file with another hash is downloaded again.
///
/// # Errors
/// `fname` must be a plain file name; there must be a copy or a connection; the hash must be right.
pub fn get_file(fname: &str, origin: &str, file_hash: Option<&str>) -> Result<PathBuf> {
    let remote = Remote { url: origin, names: &[fname], subfolder: "" };
    if let Some(hash) = file_hash.filter(|hash| hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let error = Error::usage(format!("`file_hash` needs a SHA-256 of 64 hexadecimal digits, got `{hash}`"));
        return Err(error.help("give what `sha256sum` prints for the file: Keras takes MD5 as well, which is not safe"));
    }
    let check = |bytes: &[u8]| file_hash.map_or(Ok(()), |hash| check_hash(bytes, hash));
    Ok(Places::from_environment().fetch(&remote, check)?.0)
}

/// What `read` makes of the file at an address. Files of unknown origin are cached by their whole address, since many
/// are called `data.csv`.
pub(super) fn read_url<T>(url: &str, read: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
    let places = Places::from_environment();
    if let Some(known) = datasets::KNOWN.iter().find(|known| known.url == url) {
        let remote = Remote { url, names: known.names, subfolder: "" };
        let checked = |bytes: &[u8]| check_hash(bytes, known.sha256).and_then(|()| read(bytes));
        return Ok(places.fetch(&remote, checked)?.1);
    }
    let hash = sha256(url.as_bytes());
    let remote = Remote { url, names: &[last_part(url)], subfolder: &hash[..12] };
    Ok(places.fetch(&remote, read)?.1)
}

/// The last part of the path of an address, as a file name.
fn last_part(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next()).unwrap_or_default();
    if is_plain(name) { name } else { "data" }
}

fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) && !name.contains(['/', '\\'])
}

/// A file to be had from the net.
pub(crate) struct Remote<'a> {
    /// Its address.
    pub(crate) url: &'a str,
    /// The names a copy may have; the first is that of our own.
    pub(crate) names: &'a [&'a str],
    /// Where among the cached data sets our copy is.
    pub(crate) subfolder: &'a str,
}

/// Where copies of files may be.
pub(crate) struct Places {
    /// The folder named by `CORNU_DATASETS`: read, never written.
    own: Option<PathBuf>,
    /// Keras's folders for data sets, the next one in use where the one before cannot be written.
    caches: Vec<PathBuf>,
}

impl Places {
    pub(crate) fn from_environment() -> Places {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = folder("KERAS_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".keras")));
        let homes = home.into_iter().chain([std::env::temp_dir().join(".keras")]);
        Places { own: folder("CORNU_DATASETS"), caches: homes.map(|home| home.join("datasets")).collect() }
    }

    /// The path of a copy and what `read` makes of it; downloads the file if there is no copy that `read` accepts.
    pub(crate) fn fetch<T>(&self, remote: &Remote<'_>, read: impl Fn(&[u8]) -> Result<T>) -> Result<(PathBuf, T)> {
        if let Some(name) = remote.names.iter().find(|name| !is_plain(name)) {
            return Err(Error::usage(format!("`get_file` needs a plain file name, got `{name}`")));
        }
        if let Some(found) = self.own.as_deref().and_then(|folder| read_copy(folder, remote.names, &read)) {
            return found;
        }
        let mut refused = None;
        let mut places = Vec::new();
        for cache in &self.caches {
            let folder = cache.join(remote.subfolder);
            places.push(folder.join(remote.names[0]));
            match read_copy(&folder, remote.names, &read) {
                Some(Ok(found)) => return Ok(found),
                Some(Err(error)) => refused = Some(error),
                None => {}
            }
            if is_writable(&folder) {
                break;
            }
        }
        let Some(place) = places.last() else { return Err(Error::file("there is no folder for data sets")) };
        let bytes = download(remote.url).map_err(|why| self.nowhere(remote, place, refused.as_ref(), &why))?;
        let value = read(&bytes).context(format!("downloading `{}`", remote.url))?;
        atomic::write(place, &bytes)?;
        Ok((place.clone(), value))
    }

    fn nowhere(&self, remote: &Remote<'_>, place: &Path, refused: Option<&Error>, why: &str) -> Error {
        let copy = match (refused, &self.own) {
            (Some(error), _) => format!("the copy is not right ({})", error.message()),
            (None, Some(own)) => format!("there is no copy in `{}` or at `{}`", own.display(), place.display()),
            (None, None) => format!("there is no copy at `{}`", place.display()),
        };
        let (url, name) = (remote.url, remote.names[0]);
        Error::file(format!("{copy}, and downloading `{url}` failed: {why}"))
            .help(format!("put `{name}` there, or into a folder that the environment variable `CORNU_DATASETS` names"))
    }
}

/// The copy in a folder, if there is a file of one of the names.
fn read_copy<T>(folder: &Path, names: &[&str], read: impl Fn(&[u8]) -> Result<T>) -> Option<Result<(PathBuf, T)>> {
    let path = names.iter().map(|name| folder.join(name)).find(|path| path.is_file())?;
    let bytes = fs::read(&path).map_err(|error| Error::file(error.to_string()).caused_by(error));
    let value = bytes.and_then(|bytes| read(&bytes)).context(format!("`{}`", path.display()));
    Some(value.map(|value| (path, value)))
}

/// Whether files can be made in a folder, which is made if it is not there. Nothing that is there is opened.
fn is_writable(folder: &Path) -> bool {
    fs::create_dir_all(folder).is_ok() && atomic::is_writable(folder)
}

/// The SHA-256 of some bytes in lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn check_hash(bytes: &[u8], wanted: &str) -> Result<()> {
    let got = sha256(bytes);
    if got.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::data(format!("the file needs the SHA-256 {wanted}, got {got}")).help(
        "it is another file, or was cut short or changed on its way: delete the copy, and it is downloaded again",
    ))
}

#[cfg(feature = "download")]
fn download(url: &str) -> Result<Vec<u8>, String> {
    use std::time::Duration;

    const LARGEST: u64 = 4 << 30;
    const WORTH_A_LINE: u64 = 1 << 20;
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_recv_body(Some(Duration::from_secs(30 * 60)))
        .user_agent(concat!("cornu/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut response = ureq::Agent::from(config).get(url).call().map_err(|error| error.to_string())?;
    if let Some(length) = response.body().content_length().filter(|&length| length >= WORTH_A_LINE) {
        cornu_array::tell(format_args!("Downloading data from {url} ({:.1} MB)", length as f64 / 1e6));
    }
    response.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|error| error.to_string())
}

#[cfg(not(feature = "download"))]
fn download(_url: &str) -> Result<Vec<u8>, String> {
    Err("this build lacks the feature `download`".into())
}

#[cfg(test)]
mod tests {
    use cornu_testkit::folder::Folder;

    use super::*;

    fn text(bytes: &[u8]) -> Result<String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.contains("wrong") { Err(Error::data("it is wrong")) } else { Ok(text) }
    }

    /// An address where nobody answers.
    const NOWHERE: &str = "http://127.0.0.1:1/some/x.csv";

    #[test]
    fn our_own_folder_goes_before_the_cache_and_the_net() {
        let folder = Folder::new("get-file-order");
        let cache = folder.join("cache");
        fs::create_dir_all(&cache).unwrap();
        let places = Places { own: Some(folder.to_path_buf()), caches: vec![cache.clone()] };
        let remote = Remote { url: NOWHERE, names: &["x.csv", "y.csv"], subfolder: "" };
        fs::write(cache.join("x.csv"), "cached").unwrap();
        assert_eq!(places.fetch(&remote, text).unwrap().1, "cached");
        fs::write(folder.join("y.csv"), "own").unwrap();
        assert_eq!(places.fetch(&remote, text).unwrap(), (folder.join("y.csv"), "own".into()));
        fs::write(folder.join("y.csv"), "wrong").unwrap();
        let error = places.fetch(&remote, text).unwrap_err();
        assert_eq!(error.message(), format!("`{}`: it is wrong", folder.join("y.csv").display()));
    }

    #[test]
    fn without_copy_and_net_the_error_says_what_to_do() {
        let folder = Folder::new("get-file-none");
        let places = Places { own: None, caches: vec![folder.to_path_buf()] };
        let remote = Remote { url: NOWHERE, names: &["x.csv"], subfolder: "ab" };
        let error = places.fetch(&remote, text).unwrap_err().to_string();
        for part in [NOWHERE, "CORNU_DATASETS", folder.join("ab").join("x.csv").to_str().unwrap()] {
            assert!(error.contains(part), "no {part} in: {error}");
        }
        let own = folder.join("own");
        let both = Places { own: Some(own.clone()), ..places };
        let error = both.fetch(&remote, text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("there is no copy in `{}` or at `", own.display())), "{error}");
        let places = Places { own: None, ..both };
        fs::write(folder.join("ab").join("x.csv"), "wrong").unwrap();
        let error = places.fetch(&remote, text).unwrap_err().to_string();
        assert!(error.contains("the copy is not right") && error.contains("it is wrong"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn looking_whether_a_cache_can_be_written_changes_nothing() {
        let folder = Folder::new("get-file-probe");
        let (cache, precious) = (folder.join("cache"), folder.join("precious"));
        fs::create_dir_all(&cache).unwrap();
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink("../precious", cache.join(format!(".{}.probe", std::process::id()))).unwrap();
        assert!(is_writable(&cache) && is_writable(&folder.join("new")));
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1);
        assert!(!is_writable(&precious));
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(last_part("https://host/a/b.csv?x=1/2#y"), "b.csv");
        assert_eq!(last_part("https://host/a/.."), "data");
        assert_eq!(last_part("https://host"), "data");
        assert!(get_file("../x", NOWHERE, None).is_err());
    }

    #[test]
    fn hashes_are_checked() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(check_hash(b"abc", hash).is_ok() && check_hash(b"abc", &hash.to_uppercase()).is_ok());
        assert!(check_hash(b"abd", hash).is_err());
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let message = get_file("x.csv", NOWHERE, Some(md5)).unwrap_err().message().to_owned();
        assert_eq!(message, format!("`file_hash` needs a SHA-256 of 64 hexadecimal digits, got `{md5}`"));
    }

    #[cfg(feature = "download")]
    #[test]
    fn a_download_is_kept_once_it_is_right() {
        use std::io::{Read, Write};

        let folder = Folder::new("get-file-download");
        let places = Places { own: None, caches: vec![folder.to_path_buf()] };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x.csv", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for body in ["wrong", "right"] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + body).as_bytes()).unwrap();
            }
        });
        let remote = Remote { url: &url, names: &["x.csv"], subfolder: "" };
        assert!(places.fetch(&remote, text).is_err());
        assert_eq!(fs::read_dir(&*folder).unwrap().count(), 0, "nothing may be kept");
        assert_eq!(places.fetch(&remote, text).unwrap().1, "right");
        server.join().unwrap();
        assert_eq!(places.fetch(&remote, text).unwrap(), (folder.join("x.csv"), "right".into()));
        assert_eq!(fs::read_dir(&*folder).unwrap().count(), 1);
    }
}

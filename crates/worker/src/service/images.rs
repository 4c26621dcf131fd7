//! Where the pictures of jobs come from: the message itself, in clear or sealed, a folder, or a server on the list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use shenfen_core::{Refusal, Rule, Tenant};
use shenfen_keyring::{OpenError, SharedKeyring};
use shenfen_queue::Image;
use thiserror::Error;

use super::failure::{Failure, FetchError};
use super::web::WebHosts;
use crate::picture::{LoadError, load, not_loaded};
use crate::source::{Entry, archive};

/// The places that pictures may be fetched from. Without any, only pictures that a message holds in clear are read. No tenant's jobs are
/// read from the places of another.
#[derive(Clone, Default)]
pub struct Images {
    places: BTreeMap<Tenant, Places>,
    keyring: Option<Arc<SharedKeyring>>,
}

/// The places of one tenant.
#[derive(Clone, Default)]
struct Places {
    root: Option<PathBuf>,
    hosts: Option<WebHosts>,
}

/// The image root cannot be used.
#[derive(Debug, Error)]
#[error("the image root {} cannot be opened", root.display())]
pub struct ImageRootError {
    root: PathBuf,
    #[source]
    source: io::Error,
}

fn refused(rule: Rule, detail: impl Into<String>) -> FetchError {
    FetchError::Refused(Refusal::new(rule, detail))
}

impl Images {
    /// Also, for this tenant, pictures below `root`, named by paths relative to it.
    ///
    /// # Errors
    /// When it is no folder that can be opened.
    pub fn below(mut self, tenant: Tenant, root: &Path) -> Result<Images, ImageRootError> {
        let fail = |source| ImageRootError { root: root.to_owned(), source };
        let canonical = root.canonicalize().map_err(fail)?;
        canonical.read_dir().map_err(fail)?;
        self.places.entry(tenant).or_default().root = Some(canonical);
        Ok(self)
    }

    /// Also, for this tenant, pictures from these servers.
    pub fn from_web(mut self, tenant: Tenant, hosts: WebHosts) -> Images {
        self.places.entry(tenant).or_default().hosts = Some(hosts);
        self
    }

    /// Also pictures that are sealed for a key of this keyring.
    pub fn sealed_for(self, keyring: SharedKeyring) -> Images {
        Images { keyring: Some(Arc::new(keyring)), ..self }
    }

    /// The bytes of a tenant's picture of at most `most` bytes. Waits for disk or network.
    pub(crate) fn fetch<'a>(&self, tenant: Tenant, image: &'a Image, most: usize) -> Result<Cow<'a, [u8]>, FetchError> {
        let places = self.places.get(&tenant);
        match image {
            Image::Inline(bytes) => Ok(Cow::Borrowed(bytes)),
            Image::Sealed(bytes) => self.opened(bytes, most).map(Cow::Owned),
            Image::Path(path) => match places.and_then(|places| places.root.as_deref()) {
                Some(root) => file(root, path, most).map(Cow::Owned),
                None => Err(refused(Rule::PathRefused, "this worker opens no files (--image-root)")),
            },
            Image::Url(url) => match places.and_then(|places| places.hosts.as_ref()) {
                Some(hosts) => hosts.get(url, most).map(Cow::Owned),
                None => Err(refused(Rule::UrlRefused, "this worker fetches no pictures from the web (--image-host)")),
            },
        }
    }

    /// A key that is not there may come yet: nothing is lost over a keyring that was forgotten or rotated elsewhere.
    fn opened(&self, sealed: &[u8], most: usize) -> Result<Vec<u8>, FetchError> {
        let later = |why: &str| Err(FetchError::Later(Failure::Unavailable(why.to_owned())));
        let Some(keyring) = &self.keyring else {
            return later("it is sealed, and this worker has no keyring (--keyring)");
        };
        match keyring.open_sealed(sealed, most) {
            Ok(bytes) => Ok(bytes),
            Err(OpenError::NoKey) => later("it is sealed for a key that this worker's keyring does not have"),
            Err(OpenError::Damaged) => Err(refused(Rule::PictureDamaged, "the sealed picture was changed or cut off")),
            Err(error @ OpenError::TooLarge(_)) => Err(refused(Rule::PictureBytes, error.to_string())),
        }
    }
}

/// The bytes of a file below an image root, or of a picture in an archive there.
fn file(root: &Path, path: &str, most: usize) -> Result<Vec<u8>, FetchError> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    match root.join(relative).to_str().and_then(Entry::of_path) {
        Some(entry) => {
            let archive = below(root, Path::new(&entry.archive))?;
            Ok(archive::load(&Entry { archive, ..entry }, None, most)?)
        }
        None => Ok(load(&below(root, relative)?, most)?),
    }
}

/// The full path of a file, which may not lead out of the root.
fn below(root: &Path, path: &Path) -> Result<String, FetchError> {
    // Follows links, so that one that leads out is seen.
    let full = match root.join(path).canonicalize() {
        Ok(full) => full,
        Err(error) if error.kind() == io::ErrorKind::NotFound && root.read_dir().is_ok() => {
            return Err(refused(Rule::FileMissing, "there is no such file below the image root"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FetchError::Later(Failure::Unavailable("the image root is not there".into())));
        }
        Err(error) => return Err(not_loaded(error).into()),
    };
    if !full.starts_with(root) {
        return Err(outside());
    }
    full.into_os_string().into_string().map_err(|_| refused(Rule::FileUnreadable, "the path is not UTF-8"))
}

fn outside() -> FetchError {
    refused(Rule::PathRefused, "the path leads out of the image root")
}

impl From<LoadError> for FetchError {
    fn from(error: LoadError) -> FetchError {
        match error {
            LoadError::Refused(refusal) => FetchError::Refused(refusal),
            LoadError::Unavailable(reason) => FetchError::Later(Failure::Unavailable(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::{Archives, Found, Source};

    fn rule_of(outcome: Result<Cow<'_, [u8]>, FetchError>) -> &'static str {
        match outcome {
            Ok(_) => "read",
            Err(FetchError::Refused(reason)) => reason.rule.name(),
            Err(FetchError::Later(_)) => "later",
        }
    }

    #[test]
    fn reads_only_files_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/b.jpg"), b"picture").unwrap();
        fs::write(folder.path().join("secret"), b"secret").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
            std::os::unix::fs::symlink("a/b.jpg", root.join("inside")).unwrap();
        }
        let images = Images::default().below(Tenant::DEFAULT, &root).unwrap();
        let fetch = |path: &str| rule_of(images.fetch(Tenant::DEFAULT, &Image::Path(path.into()), 100));
        assert_eq!(fetch("a/b.jpg"), "read");
        assert_eq!(fetch("./a/b.jpg"), "read");
        assert_eq!(fetch("a/c.jpg"), "file_missing");
        for path in ["../secret", "a/../../secret", "/etc/passwd"] {
            assert_eq!(fetch(path), "path_refused", "{path}");
        }
        #[cfg(unix)]
        {
            assert_eq!(fetch("out"), "path_refused", "a link out of the root");
            assert_eq!(fetch("inside"), "read");
        }
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &Image::Path("a/b.jpg".into()), 3)), "picture_bytes");
        assert_eq!(fetch("a"), "file_unreadable");
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(fetch("a/b.jpg"), "later", "a root that is away is not the job's fault");
    }

    #[test]
    fn reads_pictures_in_archives_below_the_root_only() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        writer.start_file("a/b.jpg", zip::write::SimpleFileOptions::default()).unwrap();
        io::Write::write_all(&mut writer, b"picture").unwrap();
        let packed = writer.finish().unwrap().into_inner();
        for archive in ["root/cards.zip", "secret.zip"] {
            fs::write(folder.path().join(archive), &packed).unwrap();
        }
        let listing = Source::open_with(&root.join("cards.zip"), Archives::InPlace).unwrap();
        let entry = listing.filter_map(|found| match found {
            Found::Picture(picture) => picture.entry,
            _ => None,
        });
        let entry = entry.last().unwrap();
        let images = Images::default().below(Tenant::DEFAULT, &root).unwrap();
        let fetch = |entry: Entry, most| rule_of(images.fetch(Tenant::DEFAULT, &Image::Path(entry.to_string()), most));
        let in_archive = |archive: &str| Entry { archive: archive.into(), ..entry.clone() };
        assert_eq!(fetch(in_archive("cards.zip"), 7), "read");
        assert_eq!(fetch(in_archive("cards.zip"), 6), "picture_bytes");
        assert_eq!(fetch(in_archive("../secret.zip"), 7), "path_refused");
        assert_eq!(fetch(in_archive("none.zip"), 7), "file_missing");
        assert_eq!(fetch(in_archive("cards.tgz"), 7), "file_missing");
        let elsewhere = Entry { offset: entry.offset + 1, ..in_archive("cards.zip") };
        assert_eq!(fetch(elsewhere, 7), "file_unreadable");
        let named_otherwise = Entry { name: "a/c.jpg".into(), ..in_archive("cards.zip") };
        assert_eq!(fetch(named_otherwise, 7), "file_unreadable", "the name is checked too");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../secret.zip", root.join("out.zip")).unwrap();
            assert_eq!(fetch(in_archive("out.zip"), 7), "path_refused", "a link out of the root");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn file_that_cannot_be_read_now_is_read_later() {
        // Its first bytes are no memory of the process, so reading them is an input/output error.
        let images = Images::default().below(Tenant::DEFAULT, Path::new("/proc/self")).unwrap();
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &Image::Path("mem".into()), 100)), "later");
    }

    #[test]
    fn tenant_reads_nothing_from_the_places_of_another() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jpg"), b"picture").unwrap();
        let acme: Tenant = "acme".parse().unwrap();
        let hosts = WebHosts::new(&["127.0.0.1".to_owned()], false, None).unwrap();
        let images = Images::default().below(acme, folder.path()).unwrap().from_web(acme, hosts);
        let [file, web] = [Image::Path("a.jpg".into()), Image::Url("https://elsewhere.example/a.jpg".into())];
        assert_eq!(rule_of(images.fetch(acme, &file, 100)), "read");
        for other in [Tenant::DEFAULT, "globex".parse().unwrap()] {
            assert_eq!(rule_of(images.fetch(other, &file, 100)), "path_refused");
            let refused = images.fetch(other, &web, 100);
            assert!(
                matches!(refused, Err(FetchError::Refused(reason)) if reason.detail.contains("fetches no pictures"))
            );
        }
    }

    #[test]
    fn opens_what_is_sealed_for_its_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let keyring = shenfen_keyring::Keyring::create(&path, now).unwrap();
        let recipients: shenfen_keyring::Recipients = keyring.newest().recipient().parse().unwrap();
        let sealed = recipients.seal(b"picture").unwrap();
        let images = Images::default().sealed_for(SharedKeyring::read(&path).unwrap());
        let image = Image::Sealed(sealed.clone());
        assert!(matches!(images.fetch(Tenant::DEFAULT, &image, 7), Ok(bytes) if *bytes == *b"picture"));
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &image, 6)), "picture_bytes");
        assert_eq!(
            rule_of(images.fetch(Tenant::DEFAULT, &Image::Sealed(sealed[..sealed.len() - 1].to_vec()), 7)),
            "picture_damaged"
        );
        assert_eq!(
            rule_of(Images::default().fetch(Tenant::DEFAULT, &image, 7)),
            "later",
            "the keyring may be given yet"
        );

        let others = shenfen_keyring::Keyring::create(&folder.path().join("others.json"), now).unwrap();
        let sealed = others.newest().recipient().parse::<shenfen_keyring::Recipients>().unwrap().seal(b"x").unwrap();
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &Image::Sealed(sealed), 7)), "later", "the key may come yet");
    }

    #[test]
    fn fetches_nothing_without_permission() {
        let images = Images::default();
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &Image::Path("a.jpg".into()), 100)), "path_refused");
        assert_eq!(
            rule_of(images.fetch(Tenant::DEFAULT, &Image::Url("https://a.example/b.jpg".into()), 100)),
            "url_refused"
        );
        assert_eq!(rule_of(images.fetch(Tenant::DEFAULT, &Image::Inline(vec![1]), 100)), "read");
        assert!(Images::default().below(Tenant::DEFAULT, Path::new("/nowhere/at/all")).is_err());
    }
}

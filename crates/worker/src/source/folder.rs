//! The pictures in a folder and the folders in it.

use std::collections::VecDeque;
use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use super::{Found, SourceError, picture};

/// Names by which a file counts as a picture. Formats that are not read are among them: whoever has such pictures must
/// hear about it.
const PICTURE_NAMES: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "heic", "heif", "avif", "gif", "jp2"];

/// So many entries of a folder are sorted at a time: a folder with more of them is listed in sorted pieces.
const PIECE: usize = 4096;

/// A walk through folders.
pub(super) struct Folder {
    /// The listing's own root, as the user named it and for opening.
    root: PathBuf,
    absolute: PathBuf,
    /// Folders to come, below the root; the next one last.
    waiting: Vec<PathBuf>,
    open: Option<OpenFolder>,
    ready: VecDeque<Found>,
}

struct OpenFolder {
    below_root: PathBuf,
    entries: ReadDir,
    folders: Vec<PathBuf>,
}

impl Folder {
    pub(super) fn open(root: &Path, absolute: &Path) -> Result<Folder, SourceError> {
        let entries = fs::read_dir(absolute).map_err(|error| SourceError::of(root, &error))?;
        let open = OpenFolder { below_root: PathBuf::new(), entries, folders: Vec::new() };
        Ok(Folder {
            root: root.to_path_buf(),
            absolute: absolute.to_path_buf(),
            waiting: Vec::new(),
            open: Some(open),
            ready: VecDeque::new(),
        })
    }

    pub(super) fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            if let Some(open) = self.open.take() {
                self.read_piece(open);
            } else {
                let below_root = self.waiting.pop()?;
                match fs::read_dir(self.absolute.join(&below_root)) {
                    Ok(entries) => self.open = Some(OpenFolder { below_root, entries, folders: Vec::new() }),
                    Err(error) => return Some(self.unreadable(&below_root, &error)),
                }
            }
        }
    }

    /// Sorts the next entries of a folder into pictures and folders. The folder stays open until its end.
    fn read_piece(&mut self, mut open: OpenFolder) {
        let mut files = Vec::new();
        let mut at_end = true;
        for entry in open.entries.by_ref().take(PIECE) {
            at_end = false;
            match entry.and_then(|entry| Ok((entry.file_type()?, entry))) {
                Ok((kind, entry)) if is_hidden(&entry) || kind.is_symlink() => self.ready.push_back(Found::Other),
                Ok((kind, entry)) if kind.is_dir() => open.folders.push(open.below_root.join(entry.file_name())),
                Ok((kind, entry)) if kind.is_file() && is_picture(Path::new(&entry.file_name())) => {
                    files.push(entry.file_name())
                }
                Ok(_) => self.ready.push_back(Found::Other),
                Err(error) => self.ready.push_back(self.unreadable(&open.below_root, &error)),
            }
        }
        files.sort_unstable();
        for name in files {
            let below_root = open.below_root.join(name);
            let found = picture(&self.root.join(&below_root), &self.absolute.join(&below_root));
            self.ready.push_back(found.map_or_else(Found::Unreadable, Found::Picture));
        }
        if at_end {
            open.folders.sort_unstable_by(|one, other| other.cmp(one));
            self.waiting.append(&mut open.folders);
        } else {
            self.open = Some(open);
        }
    }

    fn unreadable(&self, below_root: &Path, error: &io::Error) -> Found {
        Found::Unreadable(SourceError::of(&self.root.join(below_root), error))
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether a file is a picture by its name.
pub(super) fn is_picture(name: &Path) -> bool {
    let extension = name.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| PICTURE_NAMES.contains(&extension.as_str()))
}

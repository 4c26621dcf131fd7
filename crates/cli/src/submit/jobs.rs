//! Turns pictures into messages, a chunk at a time.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use shenfen_core::{JobId, RequestedSide, Tenant};
use shenfen_keyring::Recipients;
use shenfen_queue::{Image, Message, Outgoing, Route};
use shenfen_worker::{Found, PictureRef, Source};

use super::SubmitArgs;

/// Messages published before their confirms are awaited, and about how many bytes of them are held.
const CHUNK: usize = 256;
const CHUNK_BYTES: usize = 16 << 20;

/// Room in a message for all but the picture.
const ENVELOPE: usize = 4096;

/// Jobs to publish together, and pictures before or among them that cannot be.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) jobs: Vec<Prepared>,
    /// A line for each.
    pub(super) faults: Vec<String>,
}

/// A message with the names that its line shows.
pub(super) struct Prepared {
    pub(super) message: Outgoing,
    pub(super) named: Named,
}

/// The names of a picture as its line shows them.
pub(super) struct Named {
    pub(super) source: String,
    pub(super) reference: Option<String>,
}

/// The pictures to submit.
pub(super) struct Jobs {
    sources: Vec<Source>,
    tenant: Tenant,
    batch: String,
    reference: Option<String>,
    side: RequestedSide,
    by_path: Option<ImageRoot>,
    recipients: Option<Recipients>,
    largest_picture: u64,
}

/// The workers' image root.
struct ImageRoot {
    as_typed: PathBuf,
    absolute: PathBuf,
}

impl Jobs {
    /// # Errors
    /// When a path does not exist, or batch or reference are not what a message takes.
    pub(super) fn new(args: &SubmitArgs, max_body: usize) -> anyhow::Result<Jobs> {
        let by_path = match &args.by_path {
            Some(root) => {
                let absolute = fs::canonicalize(root).with_context(|| format!("cannot find {}", root.display()))?;
                Some(ImageRoot { as_typed: root.clone(), absolute })
            }
            None => None,
        };
        let jobs = Jobs {
            sources: args.paths.iter().map(|path| Source::open(path)).collect::<Result<_, _>>()?,
            tenant: args.tenant.tenant,
            batch: args.batch.clone(),
            reference: args.reference.clone(),
            side: args.side,
            by_path,
            recipients: args.recipients.recipients.clone(),
            largest_picture: (max_body.saturating_sub(ENVELOPE) / 4 * 3) as u64,
        };
        // Rejects an invalid batch or reference before any picture is read.
        jobs.message(Image::Path("a.jpg".to_owned()), jobs.reference.clone(), jobs.side).map_err(anyhow::Error::msg)?;
        Ok(jobs)
    }

    /// All jobs, in chunks.
    pub(super) fn chunks(mut self) -> impl Iterator<Item = Chunk> {
        let mut found = std::mem::take(&mut self.sources).into_iter().flatten();
        std::iter::from_fn(move || {
            let mut chunk = Chunk::default();
            let mut bytes = 0;
            while chunk.jobs.len() < CHUNK && bytes < CHUNK_BYTES {
                match found.next() {
                    Some(Found::Picture(picture)) => match self.prepare(&picture) {
                        Ok(job) => {
                            bytes += job.message.body.len();
                            chunk.jobs.push(job);
                        }
                        Err(fault) => chunk.faults.push(format!("{}: {fault}", picture.source)),
                    },
                    Some(Found::Other) => {}
                    Some(Found::Unreadable(error)) => chunk.faults.push(error.to_string()),
                    None if chunk.jobs.is_empty() && chunk.faults.is_empty() => return None,
                    None => break,
                }
            }
            Some(chunk)
        })
    }

    fn prepare(&self, picture: &PictureRef) -> Result<Prepared, String> {
        let image = match &self.by_path {
            Some(root) => Image::Path(root.path_of(Path::new(&picture.path))?),
            None => Image::Inline(self.read(Path::new(&picture.path))?),
        };
        let reference = picture.reference.clone().or_else(|| self.reference.clone());
        let side = if picture.side == RequestedSide::Auto { self.side } else { picture.side };
        let (id, body) = self.message(image, reference.clone(), side)?;
        let message_id = Some(id.to_string());
        Ok(Prepared {
            message: Outgoing { route: Route::Jobs, body, message_id, failures: 0, reason: None },
            named: Named { source: picture.source.clone(), reference },
        })
    }

    /// The JSON of a job, as a worker will take it, and the job's id.
    fn message(
        &self,
        image: Image,
        reference: Option<String>,
        side: RequestedSide,
    ) -> Result<(JobId, Vec<u8>), String> {
        let message = Message::new(self.batch.clone(), reference, side, image).of_tenant(self.tenant);
        let message = self.sealed(message)?;
        let body = message.to_json();
        Message::parse(&body, None).map_err(|error| error.to_string())?;
        Ok((message.job_id, body))
    }

    /// The job with its picture sealed, if it holds one and there is anyone to seal it for.
    fn sealed(&self, message: Message) -> Result<Message, String> {
        match (&self.recipients, &message.image) {
            (Some(recipients), Image::Inline(picture)) => {
                let sealed = recipients.seal(picture).map_err(|error| format!("cannot seal the picture: {error}"))?;
                Ok(message.with_sealed(sealed))
            }
            _ => Ok(message),
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let kind = fs::metadata(path).map_err(in_words)?;
        if !kind.is_file() {
            return Err("is not a regular file".to_owned());
        }
        let mut bytes = Vec::new();
        // One byte over the limit shows that the file is too large, even if it is growing.
        let file = File::open(path).map_err(in_words)?;
        file.take(self.largest_picture + 1).read_to_end(&mut bytes).map_err(in_words)?;
        match bytes.len() as u64 {
            0 => Err("the file is empty".to_owned()),
            length if length > self.largest_picture => Err(format!(
                "the file has {} bytes; a message can hold pictures of up to {} bytes: publish its path with --by-path instead",
                kind.len().max(length),
                self.largest_picture
            )),
            _ => Ok(bytes),
        }
    }
}

impl ImageRoot {
    /// A picture's path below the folder, with slashes on every system.
    fn path_of(&self, picture: &Path) -> Result<String, String> {
        let outside = || format!("is not below {}", self.as_typed.display());
        // A listing follows no links; one in a manifest may lead anywhere.
        let picture = fs::canonicalize(picture).map_err(in_words)?;
        let below = picture.strip_prefix(&self.absolute).map_err(|_| outside())?;
        let steps: Option<Vec<&str>> = below.iter().map(|step| step.to_str()).collect();
        steps.map(|steps| steps.join("/")).ok_or_else(|| "its name is not UTF-8: rename it".to_owned())
    }
}

fn in_words(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    }
}

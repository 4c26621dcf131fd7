//! A panicking reader: its place is told, what it held is not. Alone in its program, since it silences all panics.

use shenfen_core::{ModelInfo, ReadOutcome, RequestedSide};
use shenfen_worker::{PictureReader, Room, read_file};

struct Stumbling(ModelInfo);

impl PictureReader for Stumbling {
    fn read(&mut self, _bytes: &[u8]) -> ReadOutcome {
        // The standard library's message quotes the text.
        let name = String::from("张三");
        panic!("{}", &name[..1])
    }

    fn model(&self) -> &ModelInfo {
        &self.0
    }

    fn max_bytes(&self) -> usize {
        100
    }

    fn another(&self) -> Stumbling {
        Stumbling(self.0.clone())
    }
}

#[test]
fn panic_report_names_place_but_not_content() {
    shenfen_worker::silence_panics();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut reader = Stumbling(ModelInfo { name: "test".into(), version: "1".into(), sha256: "0".into() });
    for _ in 0..2 {
        let read =
            read_file(&mut reader, file.path().to_str().unwrap(), RequestedSide::Auto, &Room::unlimited()).unwrap();
        let ReadOutcome::Fault(reason) = read.outcome else { panic!("a reader that panics has no result") };
        assert!(reason.to_string().starts_with("the reader failed at panics.rs:"), "{reason}");
    }
}

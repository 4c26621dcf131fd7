//! The page of `shenfen serve`, in a real browser.
#![expect(clippy::unwrap_used, reason = "test code, its helpers too")]

mod browser;
#[expect(dead_code, reason = "shared with the other tests, each of which uses a part")]
mod program;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use browser::Browser;
use program::Place;

/// A served page; ends with the test.
struct Served {
    server: Child,
    url: String,
}

impl Served {
    fn start(place: &Place) -> Served {
        let mut command = place.shenfen(&["serve", "--listen", "127.0.0.1:0", "--threads", "1"]);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            line.find("http://").map(|at| line[at..].split_whitespace().next().unwrap().to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        Served { server, url: url.unwrap() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name).canonicalize().unwrap()
}

#[test]
fn reads_and_shows_a_picture_and_a_number() {
    let place = Place::new();
    let served = Served::start(&place);
    let browser = Browser::start();
    browser.open(&served.url);

    browser.choose("#file", &sample("photo-4.jpg"));
    browser.text_with("#answer", "OK: ");
    let fields = browser.text_with("#fields", "公民身份号码");
    assert!(fields.contains("Card 1: front") && fields.contains("320922199901056312"), "{fields}");
    let size = browser.script("const c = document.getElementById('canvas'); return [c.hidden, c.width, c.height]");
    assert!(size[0] == false && size[1].as_u64() > Some(300) && size[2].as_u64() > Some(300), "{size}");
    // The outline of the card is drawn: its colour is there, and in no photograph of a card in this exact shade.
    let outline = "const c = document.getElementById('canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] === 10 && d[i + 1] === 125 && d[i + 2] === 60; return n";
    assert!(browser.script(outline).as_u64() > Some(500));

    browser.choose("#file", &sample("no-card.jpg"));
    browser.text_with("#answer", "FAIL");

    browser.type_into("#number", "330825197801104539");
    browser.click("#check button");
    let verdict = browser.text_with("#verdict", "1978-01-10");
    assert!(verdict.contains("浙江省") && verdict.contains("male"), "{verdict}");
    browser.type_into("#number", "0");
    browser.click("#check button");
    browser.text_with("#verdict", "not");

    // On a phone nothing sticks out, nothing comes from elsewhere, and nothing is kept.
    let wide = "return document.documentElement.scrollWidth > window.innerWidth";
    assert_eq!(browser.script(wide), false);
    let elsewhere =
        "return performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin))";
    assert_eq!(browser.script(elsewhere), serde_json::json!([]));
    assert_eq!(browser.script("return localStorage.length + document.cookie.length"), 0);
    assert_eq!(browser.console(), Vec::<String>::new());
}

//! Every target with its committed corpus and with a fixed number of inputs made of it.

use shenfen_fuzz::mutation::drive;
use shenfen_fuzz::targets;

#[test]
fn archive_keeps_its_promises() {
    drive("archive", 3000, targets::archive::check);
}

#[test]
fn authorization_keeps_its_promises() {
    drive("authorization", 3000, targets::authorization::check);
}

#[test]
fn body_keeps_its_promises() {
    drive("body", 3000, targets::body::check);
}

#[test]
fn id_number_keeps_its_promises() {
    drive("id_number", 3000, targets::id_number::check);
}

#[test]
fn manifest_keeps_its_promises() {
    drive("manifest", 1000, targets::manifest::check);
}

#[test]
fn message_keeps_its_promises() {
    drive("message", 3000, targets::message::check);
}

#[test]
fn jpeg_keeps_its_promises() {
    drive("jpeg", 3000, targets::jpeg::check);
}

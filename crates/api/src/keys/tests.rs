use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

fn master(digit: char) -> MasterKey {
    MasterKey::parse(&digit.to_string().repeat(64)).unwrap()
}

fn file(folder: &Path) -> KeyFile {
    KeyFile::new(folder.join("keys.jsonl"), master('1'))
}

#[test]
fn adds_lists_and_revokes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    let first = file.add(KeyHolder::new("acme 公司"), None).unwrap();
    let second = file.add(KeyHolder::new("acme 公司"), Some(2.5)).unwrap();
    assert_ne!(first.ak, second.ak);
    let loaded = file.load().unwrap();
    assert_eq!(loaded.iter().map(|key| &key.ak).collect::<Vec<_>>(), [&first.ak, &second.ak]);
    assert_eq!((loaded[0].secret(), loaded[1].rate), (first.sk.as_bytes(), Some(2.5)));

    file.revoke(&first.ak).unwrap();
    assert_eq!(file.load().unwrap().len(), 1);
    let listed = file.list().unwrap();
    assert_eq!(listed.iter().map(|key| key.revoked_at.is_some()).collect::<Vec<_>>(), [true, false]);
    for unknown in [first.ak.as_str(), "nobody"] {
        assert!(matches!(file.revoke(unknown), Err(KeyError::Unknown { .. })));
    }
    for name in ["", "a\nb", &"x".repeat(101)] {
        assert!(matches!(file.add(KeyHolder::new(name), None), Err(KeyError::Client)));
    }
}

#[test]
fn key_file_hides_secrets_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    let key = file.add(KeyHolder::new("acme"), None).unwrap();
    let path = folder.path().join("keys.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&key.ak) && !text.contains(&key.sk));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!format!("{:?}{:?}", file, file.load().unwrap()).contains(&key.sk));

    let other = KeyFile::new(&path, master('2'));
    assert!(matches!(other.load(), Err(KeyError::WrongMasterKey { .. })));
    assert!(matches!(other.add(KeyHolder::new("acme"), None), Err(KeyError::WrongMasterKey { .. })));
    fs::write(&path, text.replace("acme", "another")).unwrap();
    assert!(matches!(file.load(), Err(KeyError::WrongMasterKey { .. })), "a secret moved to another client");
}

#[test]
fn key_keeps_its_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    let acme = "acme".parse().unwrap();
    file.add(KeyHolder { tenant: acme, ..KeyHolder::new("mobile") }, None).unwrap();
    file.add(KeyHolder::new("mobile"), None).unwrap();
    assert!(file.load().unwrap().iter().map(|key| key.tenant).eq([acme, Tenant::DEFAULT]));
    assert!(file.list().unwrap().iter().map(|key| key.tenant).eq([acme, Tenant::DEFAULT]));

    let path = folder.path().join("keys.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let tenant = "\"tenant\":\"acme\"";
    for moved in ["\"tenant\":\"globex\"", "\"tenant\":\"default\"", "\"tenant\":\"acme\",\"reveals\":true"] {
        fs::write(&path, text.replace(tenant, moved)).unwrap();
        assert!(matches!(file.load(), Err(KeyError::WrongMasterKey { .. })), "a key that was given more: {moved}");
    }
    fs::write(&path, text).unwrap();
    file.add(KeyHolder { reveals: true, ..KeyHolder::new("console") }, None).unwrap();
    assert!(file.load().unwrap().iter().map(|key| key.reveals).eq([false, false, true]));
}

#[test]
fn reads_an_edited_file_or_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    file.add(KeyHolder::new("acme"), None).unwrap();
    let path = folder.path().join("keys.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end()).unwrap();
    file.add(KeyHolder::new("acme"), None).unwrap();
    assert_eq!(file.load().unwrap().len(), 2, "a line was added to one without an end");
    fs::write(&path, format!("{text}\n{{\"ak\":1}}\n")).unwrap();
    let Err(KeyError::Line { line, .. }) = file.load() else { panic!("read all the same") };
    assert_eq!(line, 3);
    assert!(matches!(KeyFile::new("/nowhere/keys", master('1')).list(), Err(KeyError::File { .. })));
}

#[test]
fn master_key_is_64_hexadecimal_digits() {
    assert!(MasterKey::parse(&format!(" {}\n", "aB".repeat(32))).is_ok());
    for wrong in ["", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
        assert!(matches!(MasterKey::parse(wrong), Err(KeyError::MasterKey)));
    }
}

#[tokio::test(start_paused = true)]
async fn running_service_reloads_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    let first = file.add(KeyHolder::new("acme"), None).unwrap();
    let (keys, follow) = Keys::of_file(file.clone()).unwrap();
    let following = tokio::spawn(follow);
    let second = file.add(KeyHolder::new("acme"), None).unwrap();
    let look = || tokio::time::sleep(2 * CHECK_INTERVAL);
    look().await;
    assert!(keys.get(&first.ak).is_some() && keys.get(&second.ak).is_some());
    file.revoke(&first.ak).unwrap();
    look().await;
    assert!(keys.get(&first.ak).is_none());

    let path = folder.path().join("keys.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}nonsense")).unwrap();
    look().await;
    assert_eq!(keys.count(), 1, "an unreadable file changes nothing");
    following.abort();
}

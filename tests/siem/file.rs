//! Lines in a file: whole, private, rotated, and found again where somebody moved them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use airiskguard_gateway::sinks::Hope;
use serde_json::Value;

use super::records::{outlet, plain};

fn sequences(path: &str) -> Vec<u64> {
    let sequence = |line: &str| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64().unwrap();
    fs::read_to_string(path).unwrap().lines().map(sequence).collect()
}

#[tokio::test]
async fn lines_are_private_and_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl").display().to_string();
    let mut outlet = outlet(&format!("to: 'file:{path}', file_bytes_max: 64KiB"));
    for number in 0..8 {
        outlet.deliver(&plain(number * 50 + 1, number * 50 + 50), 1).await.unwrap();
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert!((4..=10).contains(&files), "{files} files");
    let mut told: Vec<u64> = Vec::new();
    for number in (1..files).rev() {
        let old = format!("{path}.{number}");
        assert!(fs::metadata(&old).unwrap().len() <= 64 << 10);
        told.extend(sequences(&old));
    }
    told.extend(sequences(&path));
    assert_eq!(told, (1..=400).collect::<Vec<u64>>());
    for file in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl").display().to_string();
    let mut first = outlet(&format!("to: 'file:{path}'"));
    first.deliver(&plain(1, 3), 1).await.unwrap();
    fs::rename(&path, format!("{path}-old")).unwrap();
    first.deliver(&plain(4, 5), 1).await.unwrap();
    assert_eq!(sequences(&format!("{path}-old")), [1, 2, 3]);
    assert_eq!(sequences(&path), [4, 5]);
    // Another start goes on where the file ends.
    outlet(&format!("to: 'file:{path}'")).deliver(&plain(6, 6), 1).await.unwrap();
    assert_eq!(sequences(&path), [4, 5, 6]);
}

#[tokio::test]
async fn a_full_disk_leaves_whole_lines() {
    // Every write to this device fails as on a full disk.
    let failure = outlet("to: 'file:/dev/full'").deliver(&plain(1, 2), 1).await.unwrap_err();
    assert_eq!((failure.hope, failure.done), (Hope::Later, 0));
    assert!(failure.what.contains("cannot be written"), "{}", failure.what);
}

#[tokio::test]
async fn each_format_is_a_line() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["cef", "leef", "json", "ecs", "ocsf"] {
        let path = folder.path().join(format).display().to_string();
        outlet(&format!("to: 'file:{path}', format: {format}")).deliver(&plain(1, 3), 1).await.unwrap();
        assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 3, "{format}");
    }
}

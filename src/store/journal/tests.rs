//! The journal under what happens to disks: torn ends, damage, restarts, more readers than one.
use std::io::{Seek, SeekFrom};

use proptest::prelude::*;

use super::*;
use crate::store::record::Act;

fn act(number: u64) -> Subject {
    Subject::Act(Act { act: format!("test.{number}"), actor: "gateway".into(), ..Act::default() })
}

fn open(folder: &Path, floor: Option<Head>) -> (Journal, Recovery) {
    Journal::open(folder, "gw".into(), floor).unwrap()
}

fn fill(journal: &mut Journal, count: u64) {
    for number in 0..count {
        let sealed = (number % 3 == 0).then(|| vec![7; 20].into());
        journal.append(format!("id-{number}"), act(number), sealed, number).unwrap();
    }
    journal.sync().unwrap();
}

fn all(feed: &mut Feed) -> Vec<Entry> {
    let (mut entries, mut at) = (Vec::new(), 0);
    loop {
        let batch = feed.read(at, 7, 1 << 20).unwrap();
        let Some(last) = batch.entries.last() else { return entries };
        at = last.sequence;
        entries.extend(batch.entries);
    }
}

fn assert_chained(entries: &[Entry]) {
    let mut hash = Link::FIRST;
    for (index, entry) in entries.iter().enumerate() {
        hash = hash.next(&entry.body);
        assert_eq!((entry.sequence, entry.hash), (index as u64 + 1, hash));
        let record = entry.record().unwrap();
        assert_eq!((record.sequence, record.written_ms), (entry.sequence, entry.written_ms));
    }
}

fn only_segment(folder: &Path) -> PathBuf {
    segment::path(folder, *segment::list(folder).unwrap().last().unwrap())
}

#[test]
fn what_is_appended_is_read_in_order_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let (mut journal, recovery) = open(folder.path(), None);
        assert_eq!(recovery, Recovery::default());
        assert_eq!(journal.head().sequence, round * 20);
        fill(&mut journal, 20);
    }
    let (journal, _) = open(folder.path(), None);
    let entries = all(&mut journal.feed());
    assert_eq!(entries.len(), 60);
    assert_chained(&entries);
    assert_eq!(entries[0].sealed.as_deref(), Some(&[7; 20][..]));
    assert_eq!(entries[1].sealed, None);
}

#[test]
fn only_what_is_on_disk_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), None);
    let mut feed = journal.feed();
    journal.append("a".into(), act(1), None, 1).unwrap();
    journal.write().unwrap();
    assert_eq!(feed.read(0, 9, 1 << 20).unwrap(), Batch::default());
    journal.sync().unwrap();
    assert_eq!(feed.read(0, 9, 1 << 20).unwrap().entries.len(), 1);
    assert_eq!(feed.read(1, 9, 1 << 20).unwrap(), Batch::default());
}

#[test]
fn time_never_falls_within_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), None);
    for now_ms in [5, 9, 3] {
        journal.append("a".into(), act(1), None, now_ms).unwrap();
    }
    journal.sync().unwrap();
    let (mut journal, _) = open(folder.path(), None);
    journal.append("a".into(), act(1), None, 1).unwrap();
    journal.sync().unwrap();
    let times: Vec<u64> = all(&mut journal.feed()).iter().map(|it| it.written_ms).collect();
    assert_eq!(times, [5, 9, 9, 9]);
}

#[test]
fn segments_follow_each_other_and_are_removed_when_all_have_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), None);
    let text: Arc<[u8]> = vec![1; 6 << 20].into();
    for number in 0..9 {
        journal.append("a".into(), act(number), Some(text.clone()), number).unwrap();
        journal.sync().unwrap();
    }
    assert_eq!(segment::list(folder.path()).unwrap(), [1, 4, 7, 10]);
    assert_chained(&all(&mut journal.feed()));
    journal.prune(5).unwrap();
    assert_eq!(segment::list(folder.path()).unwrap(), [4, 7, 10]);
    let batch = journal.feed().read(0, 100, usize::MAX).unwrap();
    assert_eq!((batch.missing, batch.entries[0].sequence, batch.entries.len()), (3, 4, 6));
    journal.prune(9).unwrap();
    assert_eq!(segment::list(folder.path()).unwrap(), [10]);
    drop(journal);
    let (journal, recovery) = open(folder.path(), None);
    assert_eq!((journal.head().sequence, recovery), (9, Recovery::default()));
}

#[test]
fn the_chain_goes_on_behind_what_is_known_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let floor = Head { sequence: 41, hash: Link::new([3; 32]) };
    let (mut journal, recovery) = open(folder.path(), Some(floor));
    assert_eq!(recovery.missing, 41);
    fill(&mut journal, 2);
    let batch = journal.feed().read(0, 9, 1 << 20).unwrap();
    assert_eq!((batch.missing, batch.entries[0].sequence), (41, 42));
    assert_eq!(batch.entries[0].hash, floor.hash.next(&batch.entries[0].body));
    drop(journal);
    assert_eq!(open(folder.path(), Some(floor)).1, Recovery::default());
}

#[test]
fn damage_in_a_closed_segment_costs_that_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), None);
    let text: Arc<[u8]> = vec![1; 6 << 20].into();
    for number in 0..7 {
        journal.append("a".into(), act(number), Some(text.clone()), number).unwrap();
        journal.sync().unwrap();
    }
    let mut file = OpenOptions::new().write(true).open(segment::path(folder.path(), 4)).unwrap();
    file.seek(SeekFrom::Start(8 << 20)).unwrap();
    file.write_all(b"damage").unwrap();
    let mut feed = journal.feed();
    let first = feed.read(0, 100, usize::MAX).unwrap();
    assert_eq!(first.entries.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let rest = feed.read(4, 100, usize::MAX).unwrap();
    assert_eq!((rest.missing, rest.entries.len(), rest.entries[0].sequence), (2, 1, 7));
}

#[test]
fn a_header_of_which_only_the_beginning_was_written_is_none() {
    for kept in 0..HEADER_BYTES {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None);
        fill(&mut journal, 3);
        drop(journal);
        let path = only_segment(folder.path());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.set_len(kept).unwrap();
        file.write_all(&[0x5a; 64]).unwrap();
        let (mut journal, recovery) = open(folder.path(), None);
        assert!(recovery.torn_bytes > 0, "{kept}");
        fill(&mut journal, 3);
        assert_chained(&all(&mut journal.feed()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a crash leaves of the file, the journal opens, keeps every whole entry before, and goes on.
    #[test]
    fn a_torn_end_is_cut_off(cut in 0u64..6000, garbage in proptest::collection::vec(any::<u8>(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None);
        fill(&mut journal, 30);
        drop(journal);
        let path = only_segment(folder.path());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(cut)).unwrap();
        file.write_all(&garbage).unwrap();
        let (mut journal, recovery) = open(folder.path(), None);
        let kept = journal.head().sequence;
        prop_assert!(kept <= 30);
        prop_assert_eq!(recovery.torn_bytes > 0, folder.path().join(path.with_extension(DAMAGED)).exists());
        fill(&mut journal, 5);
        let entries = all(&mut journal.feed());
        prop_assert_eq!(entries.len() as u64, kept + 5);
        assert_chained(&entries);
    }

    /// A byte that changed is never read as an entry.
    #[test]
    fn a_flipped_byte_is_seen(at in 0u64..5000, bit in 0u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), None);
        fill(&mut journal, 30);
        drop(journal);
        let path = only_segment(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at as usize % bytes.len();
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let (journal, recovery) = open(folder.path(), None);
        prop_assert!(recovery.torn_bytes > 0);
        assert_chained(&all(&mut journal.feed()));
    }
}

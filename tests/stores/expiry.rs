//! What is old goes, and the mark stands in its place.

use airiskguard_gateway::store::{Query, Store};

use crate::contract::read_all;
use crate::sample::{Chain, DAY, mark, row};
use crate::target::Target;

async fn by_rule(store: &dyn Store, rule: &str) -> usize {
    store.search(&Query { rule: Some(rule.into()), rows_max: 10_000, ..Query::default() }).await.unwrap().len()
}

pub async fn what_is_old_goes_and_the_mark_stays(target: Target) {
    let store = target.open().await;
    let (mut north, mut south) = (Chain::new("north"), Chain::new("south"));
    let day = 86_400_000;
    let first: Vec<_> = (0..100).map(|it| north.found(DAY + it * day, &["a.b.c"])).collect();
    let second: Vec<_> = (0..100).map(|it| south.found(DAY + it * day, &["a.b.c"])).collect();
    store.append(&first).await.unwrap();
    store.append(&second).await.unwrap();

    assert_eq!(store.expire("north", &mark(&first[49])).await.unwrap(), 50);
    assert_eq!(store.mark("north").await.unwrap(), Some(mark(&first[49])));
    assert_eq!(store.mark("south").await.unwrap(), None);
    assert_eq!(read_all(&*store, "north").await, first[50..].iter().map(row).collect::<Vec<_>>());
    assert_eq!(read_all(&*store, "south").await, second.iter().map(row).collect::<Vec<_>>());
    assert_eq!(by_rule(&*store, "a.b.c").await, 150);

    // The same again, and an older mark: nothing more goes, and the newer mark stays.
    assert_eq!(store.expire("north", &mark(&first[49])).await.unwrap(), 0);
    assert_eq!(store.expire("north", &mark(&first[20])).await.unwrap(), 0);
    assert_eq!(store.mark("north").await.unwrap(), Some(mark(&first[49])));

    assert_eq!(store.expire("south", &mark(&second[69])).await.unwrap(), 70);
    assert_eq!(store.expire("north", &mark(&first[99])).await.unwrap(), 50);
    assert_eq!(store.head("north").await.unwrap(), None);
    assert_eq!(store.gateways().await.unwrap(), ["north", "south"]);
    assert_eq!(read_all(&*store, "south").await, second[70..].iter().map(row).collect::<Vec<_>>());
    assert_eq!(by_rule(&*store, "a.b.c").await, 30);
    assert_eq!(target.number("SELECT count(*) FROM audit_rules").await, 30);

    // It goes on where it stopped, also in months whose partitions went.
    let next = north.plain(DAY + 100 * day);
    store.append(std::slice::from_ref(&next)).await.unwrap();
    let late = south.plain(DAY);
    store.append(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(read_all(&*store, "north").await, [row(&next)]);
    assert_eq!(store.head("south").await.unwrap(), Some(late.head()));
}

pub async fn in_many_steps(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries: Vec<_> = (0..12_000).map(|it| chain.found(DAY + it, &["a.b.c", "a.b.d"])).collect();
    store.append(&entries).await.unwrap();
    assert_eq!(store.expire("edge", &mark(&entries[11_989])).await.unwrap(), 11_990);
    assert_eq!(read_all(&*store, "edge").await, entries[11_990..].iter().map(row).collect::<Vec<_>>());
    assert_eq!(target.number("SELECT count(*) FROM audit_records").await, 10);
    assert_eq!(target.number("SELECT count(*) FROM audit_rules").await, 20);
}

pub async fn what_an_interrupted_expiry_left_is_not_read(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries = chain.plains(30);
    store.append(&entries[..20]).await.unwrap();
    store.expire("edge", &mark(&entries[9])).await.unwrap();
    // As if the program had been stopped between keeping the mark and removing the entries.
    target.execute("UPDATE audit_marks SET sequence = 15").await;
    assert_eq!(read_all(&*store, "edge").await, entries[15..20].iter().map(row).collect::<Vec<_>>());
    store.append(&entries[20..]).await.unwrap();
    assert_eq!(store.expire("edge", &mark(&entries[24])).await.unwrap(), 15);
    assert_eq!(target.number("SELECT count(*) FROM audit_records").await, 5);
}

pub async fn the_last_before_a_moment(target: Target) {
    let store = target.open().await;
    let (mut north, mut south) = (Chain::new("north"), Chain::new("south"));
    let month = 31 * 86_400_000;
    let entries = [0, 5, 5, 9, month, month + 1].map(|it| north.plain(DAY + it));
    store.append(&entries).await.unwrap();
    store.append(&[south.plain(DAY - 10), south.plain(DAY + 7)]).await.unwrap();
    let expected = [(0, None), (DAY, None), (DAY + 1, Some(1)), (DAY + 5, Some(1)), (DAY + 6, Some(3))];
    let later = [(DAY + month, Some(4)), (DAY + month + 1, Some(5)), (DAY + month + 2, Some(6)), (u64::MAX, Some(6))];
    for (moment, sequence) in expected.into_iter().chain(later) {
        let last = store.last_before("north", moment).await.unwrap();
        assert_eq!(last.map(|it| it.sequence), sequence, "{moment}");
        let entry = sequence.and_then(|it| entries.get(it as usize - 1));
        assert_eq!(last, entry.map(|it| it.head()));
    }
    assert_eq!(store.last_before("west", u64::MAX).await.unwrap(), None);

    // A clock that was set back: an entry that is not old keeps those behind it.
    let back = [Chain::new("back").plain(DAY + 10)];
    store.append(&back).await.unwrap();
    target
        .execute("UPDATE audit_records SET written_ms = written_ms + 100 WHERE sequence = 2 AND id LIKE 'north%'")
        .await;
    assert_eq!(store.last_before("north", DAY + 50).await.unwrap(), Some(entries[0].head()));
}

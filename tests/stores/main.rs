//! What a store promises, held against both databases: one suite of cases, and searches beside a filter in memory.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]
#![allow(clippy::print_stdout)]

mod cluster;
mod contract;
mod damage;
mod expiry;
mod file;
#[path = "../support/postgres.rs"]
mod postgres;
mod sample;
mod searches;
mod target;

use std::future::Future;
use std::pin::Pin;

use target::Target;

/// A case: an empty database and what must hold of it.
type Case = (&'static str, fn(Target) -> Pin<Box<dyn Future<Output = ()>>>);

/// Names cases by their functions.
macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$((stringify!($name), |target| Box::pin($module::$name(target)))),*]
    };
}

const CASES: &[Case] = cases![
    contract::an_empty_store_has_nothing,
    contract::what_is_appended_is_read_back,
    contract::what_is_there_already_stays,
    contract::a_batch_goes_in_whole_or_not_at_all,
    contract::chains_of_two_gateways_do_not_touch,
    contract::any_text_comes_back,
    contract::large_records_come_back,
    contract::ten_thousand_at_once,
    contract::a_reopened_store_holds_the_same,
    contract::writers_at_the_same_time,
    contract::a_search_beside_first_records_finds_whole_rows,
    contract::records_of_any_time,
    searches::newest_first,
    searches::by_every_key,
    searches::within_a_time,
    searches::no_more_than_asked_for,
    searches::as_a_filter_in_memory,
    expiry::what_is_old_goes_and_the_mark_stays,
    expiry::in_many_steps,
    expiry::what_an_interrupted_expiry_left_is_not_read,
    expiry::the_last_before_a_moment,
    damage::every_column_is_checked,
    damage::rules_that_do_not_belong_do_not_count,
    damage::tables_of_a_later_version_are_left_alone,
];

/// Cases run one after the other on one runtime each; the name of the one that fails is printed.
fn all(target: fn(&str) -> Target) {
    for (name, case) in CASES {
        println!("{name}");
        tokio::runtime::Runtime::new().unwrap().block_on(case(target(name)));
    }
}

#[test]
fn sqlite_keeps_the_contract() {
    all(Target::sqlite);
}

#[test]
fn postgres_keeps_the_contract() {
    all(Target::postgres);
}

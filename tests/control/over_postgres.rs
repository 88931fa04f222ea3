//! The same tests over PostgreSQL: all that ask the database for more than documents by their id, and all in which several
//! write at the same time. They share one cluster, and each has a database of its own. What is left out (roles, sign-in,
//! texts of the API) never sees the database but through the same documents.

use crate::server::OVER_POSTGRES;
use crate::{gateways, ingest, overview, people, policies, quarantine, records, review, rules, teams};

const DOCUMENTS: &[fn()] = &[
    gateways::a_token_enrols_once_and_a_name_is_given_once,
    gateways::of_several_who_enrol_under_one_name_at_the_same_moment_one_is_a_gateway,
    gateways::a_bundle_is_given_once_and_again_when_something_has_changed,
    gateways::a_poll_waits_for_what_changes,
    gateways::keys_are_served_while_the_account_of_their_owner_is_open,
    gateways::what_a_gateway_says_is_shown_and_a_removed_one_is_unknown,
    people::the_first_owner_is_made_with_the_token_of_the_terminal_once,
    people::owners_are_made_by_owners_and_one_always_stays,
    people::of_several_who_are_given_a_name_at_the_same_moment_one_has_it,
    policies::a_text_goes_from_draft_to_force_and_back,
    policies::what_a_policy_names_cannot_be_taken_away,
    quarantine::a_quarantine_is_imposed_once_and_released_with_a_reason,
    quarantine::one_with_an_end_ends_by_itself,
    quarantine::a_key_that_is_kept_out_at_the_same_moment_gets_no_successor,
    rules::published_rules_can_be_named_and_not_taken_away_from_under_a_policy,
    teams::a_key_is_shown_once_and_ends_when_it_is_revoked_or_followed,
];

const RECORDS: &[fn()] = &[
    gateways::the_chain_of_another_is_not_continued,
    ingest::records_arrive_once_and_verify,
    ingest::a_gap_is_a_conflict_until_it_is_said_that_it_is_lost,
    ingest::a_chain_may_begin_behind_a_signed_mark,
    ingest::what_is_not_the_gateways_own_chain_is_refused_and_told,
    ingest::numbers_and_times_that_no_database_holds_are_refused,
    ingest::what_is_old_goes_at_a_checkpoint_and_the_rest_still_verifies,
    overview::counts_follow_the_records_and_none_is_counted_twice,
    overview::two_who_count_at_the_same_time_count_each_record_once,
    overview::sessions_show_their_findings_and_whether_they_are_held,
    policies::a_dry_run_says_what_would_have_been_done_to_what_was_recorded,
    quarantine::a_lead_keeps_out_sessions_and_keys_of_the_own_team_alone,
    records::pages_of_two_gateways_hold_every_record_once_the_newest_first,
    records::nobody_sees_records_beyond_their_reach,
    records::a_record_says_what_was_found_where_why_and_what_was_done,
    records::no_input_breaks_a_search,
    records::the_feed_tells_each_exchange_once,
    records::an_export_is_the_chain_and_is_written_down,
    records::a_verification_runs_behind_the_request_and_finds_what_was_changed,
    review::a_decision_takes_a_record_off_the_queue_and_counts_for_its_rules,
    review::a_lead_decides_over_the_own_team_alone,
];

fn all(tests: &[fn()]) {
    OVER_POSTGRES.set(true);
    tests.iter().for_each(|test| test());
    OVER_POSTGRES.set(false);
}

#[test]
fn what_administrators_keep_is_kept_in_postgresql() {
    all(DOCUMENTS);
}

#[test]
fn records_are_kept_and_found_in_postgresql() {
    all(RECORDS);
}

//! One suite for both databases: what the port promises holds on each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by a panic")]

mod support;

#[path = "conformance/auditing.rs"]
mod auditing;
#[path = "conformance/claiming.rs"]
mod claiming;
#[path = "conformance/deadlines.rs"]
mod deadlines;
#[path = "conformance/deciding.rs"]
mod deciding;
#[path = "conformance/garbage.rs"]
mod garbage;
#[path = "conformance/keeping.rs"]
mod keeping;
#[path = "conformance/outbox.rs"]
mod outbox;
#[path = "conformance/reading.rs"]
mod reading;
#[path = "conformance/schema.rs"]
mod schema;
#[path = "conformance/working.rs"]
mod working;

macro_rules! conformance {
    ($($module:ident: $($test:ident),+;)+) => {
        mod sqlite {
            use crate::support::{Bed, Kind};
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(Bed::new(Kind::Sqlite)).await;
                }
            )+)+
        }
        mod postgres {
            use crate::support::{Bed, Kind};
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$module::$test(Bed::new(Kind::Postgres)).await;
                }
            )+)+
        }
    };
}

conformance! {
    claiming:
        claims_stand_side_by_side_until_they_are_over,
        names_above_and_below_are_seen,
        a_credential_is_kept_replaced_and_forgotten,
        keys_of_a_pool_are_replaced_only_by_who_read_them,
        carried_records_are_replaced_only_by_who_read_them;
    deciding:
        what_is_written_is_read_back_whole,
        a_second_decision_sees_the_first,
        a_refusal_writes_nothing,
        of_a_hundred_reservations_of_one_name_one_wins,
        a_thousand_names_at_once_are_all_reserved,
        look_alikes_and_quotas_hold_under_concurrency,
        an_expired_row_is_freed_and_the_name_reserved_again,
        two_operations_need_a_supersede,
        releases_are_counted_by_the_hour,
        a_decision_that_panics_spoils_nothing_else,
        an_operation_for_another_name_is_refused;
    working:
        a_stale_token_is_refused_and_changes_nothing,
        what_another_process_held_is_left_quiet_first,
        an_expired_lease_is_taken_over_and_the_old_worker_fenced,
        an_expired_lease_that_nobody_took_still_counts,
        a_supersede_fences_the_worker,
        a_checkpoint_moves_only_what_was_observed,
        a_checkpoint_leaves_what_was_decided_meanwhile,
        a_checkpoint_without_a_transition_is_a_bug_and_changes_nothing,
        looking_again_waits_and_hurrying_does_not,
        letting_go_lets_another_go_on,
        frozen_pools_are_not_leased,
        each_operation_is_leased_once,
        workers_and_callers_never_deadlock,
        events_tell_each_visible_change_once;
    auditing:
        news_of_findings_waits_with_the_report_while_somebody_is_told,
        what_a_quick_look_saw_is_told_once,
        the_name_that_was_not_audited_for_longest_is_next,
        reports_are_kept_listed_and_pruned,
        an_acknowledgement_ends_by_the_clock_of_the_store,
        the_log_becomes_one_chain_whoever_seals_it,
        a_chain_cannot_be_changed_and_checkpoints_stay;
    deadlines:
        reservations_end_by_the_clock_of_the_store,
        a_reclaimed_reservation_falls_back_into_quarantine,
        a_quarantine_ends_and_the_audit_log_says_so,
        expiry_is_bounded_and_two_sweeps_share_it,
        the_holder_is_judged_by_the_deadline_not_by_the_sweep;
    keeping:
        the_audit_log_is_insert_only,
        a_request_is_begun_once_and_its_answer_repeated,
        of_many_that_remember_one_begins,
        an_abandoned_request_can_be_begun_again,
        notes_yield_to_operations_and_generations,
        notes_are_taken_while_a_roll_rests,
        notes_are_taken_while_a_repair_waits_for_a_person,
        a_freeze_keeps_its_first_author,
        the_mark_only_rises,
        a_lost_row_is_restored_once,
        old_requests_and_events_are_pruned,
        a_restart_keeps_everything,
        a_copy_is_the_same_store;
    outbox:
        changes_wait_in_order_until_they_are_told;
    reading:
        a_name_has_its_live_row_or_the_last_freed,
        pages_list_each_name_once_in_order,
        holders_are_found_by_name_and_by_look,
        many_questions_at_once_get_their_own_answers,
        counts_and_the_queue_add_up,
        the_audit_log_is_read_newest_first_and_filtered;
    schema:
        an_older_schema_is_refused_unless_told_to_migrate,
        a_compatible_newer_schema_is_accepted,
        an_unknown_schema_is_refused,
        an_upgrade_keeps_rows_and_their_places,
        migrating_twice_changes_nothing;
    garbage:
        garbage_is_refused_with_a_code,
        rows_that_cannot_be_read_are_faults_with_a_code;
}

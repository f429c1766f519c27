"""Each fault that a sweep must stand, and the tests that show it. A test that is renamed or removed is missed here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

# By fault: files of tests with the names of some of their functions.
COVERED: dict[str, dict[str, str]] = {
    "1 kill -9 at every durable operation": {
        "sweep/test_crashes.py": "test_whatever_happens_at_any_durable_operation_the_sweep_goes_on",
        "sweep/test_faults.py": "test_in_one_process test_with_workers test_at_every_operation",
        "cluster/test_faults.py": "test_on_workers_of_dask test_on_a_server test_on_a_server_at_every_operation",
        "cli/test_shards.py": "test_a_merge_that_is_interrupted_at_any_write_is_completed_by_the_next_one",
    },
    "2 SIGKILL at random moments": {
        "sweep/test_crashes.py": "test_a_sweep_that_is_killed_at_random_moments_ends_as_if_nothing_had_happened",
        "sweep/test_torture.py": "test_runners_and_workers_that_are_killed_again_and_again",
        "sweep/test_executors.py": "test_workers_die_with_their_parent",
        "cluster/test_dask.py": "test_workers_that_are_killed_lose_nothing "
        "test_a_task_whose_part_was_united_is_not_run_again test_a_runner_that_is_killed_is_followed_by_another "
        "test_workers_and_runners_that_are_killed_at_random_lose_nothing "
        "test_a_scheduler_that_is_killed_ends_the_sweep_with_a_sentence "
        "test_a_worker_that_dies_while_it_is_asked_is_left_out",
        "cluster/test_s3.py": "test_a_killed_runner_is_followed_and_a_second_one_is_refused "
        "test_workers_and_runners_that_are_killed_at_random_lose_nothing",
        "test_files.py": "test_two_processes_may_write_a_file_at_once",
    },
    "3 disk full at each write": {
        "sweep/test_crashes.py": "test_a_full_disk_ends_the_sweep_with_a_sentence_and_it_goes_on_later",
        "sweep/test_faults.py": "test_in_one_process test_with_workers",
        "cluster/test_faults.py": "test_on_a_server",
        "cluster/test_s3.py": "test_a_server_that_has_no_space_ends_the_sweep_with_a_sentence_and_it_goes_on",
    },
    "4 EIO from fsync or rename": {
        "sweep/test_crashes.py": "test_whatever_happens_at_any_durable_operation_the_sweep_goes_on",
        "sweep/test_faults.py": "test_with_workers",
    },
    "5 a part cut short, or one bit flipped": {
        "storage/test_parts.py": "test_every_flipped_bit_is_found test_a_part_cut_short_is_found "
        "test_the_pages_have_checksums_for_other_readers",
        "sweep/test_sweep.py": "test_a_damaged_part_is_never_read_and_its_runs_train_again",
        "cluster/test_remote.py": "test_a_sweep",
    },
    "6 two runners on one results folder": {
        "sweep/test_executors.py": "test_a_second_runner_exits_and_names_the_first",
        "sweep/test_lock.py": "test_the_second_runner_hears_who_the_first_is",
        "cluster/test_s3.py": "test_of_two_runners_that_start_together_one_trains "
        "test_a_runner_that_is_paused_past_its_lease_stops_and_leaves_nothing",
        "cluster/test_remote.py": "test_a_lease_of_a_dead_process_is_free_at_once_on_its_machine",
    },
    "7 a worker killed for memory, or crashing": {
        "sweep/test_executors.py": "test_one_bad_run_fails_alone test_a_killed_worker_is_replaced_and_its_runs_finish",
        "sweep/test_torture.py": "test_workers_that_run_out_of_their_memory_cgroup",
        "cluster/test_dask.py": "test_a_run_that_kills_its_workers_fails_alone",
    },
    "8 a run that hangs": {"sweep/test_executors.py": "test_one_bad_run_fails_alone"},
    "9 Ctrl-C once, twice; SIGTERM": {
        "sweep/test_executors.py": "test_a_stopped_sweep_keeps_what_is_done_and_leaves_nobody_behind",
        "cli/test_commands.py": "test_ctrl_c_keeps_what_is_finished_and_tells_how_to_go_on",
        "cluster/test_dask.py": "test_a_stop_keeps_the_finished_runs",
    },
    "10 NaN, Inf, overflow": {
        "training/test_loop.py": "test_a_diverged_run_keeps_its_curve_and_leaves_the_others_alone",
        "sweep/test_sweep.py": "test_a_run_that_diverges_keeps_its_curve_and_has_no_final_metric",
        "cli/test_commands.py": "test_diverged_runs_count_and_are_no_failure",
        "plots/test_figures.py": "test_runs_that_diverge_before_their_first_point_are_there",
    },
    "11, 12 unknown tags, bombs": {"config/test_hostile.py": "test_they_are_refused"},
    "13 a grid of a thousand million runs": {
        "config/test_messages.py": "test_too_many_runs_are_counted_not_expanded",
        "config/test_hostile.py": "test_they_are_refused",
    },
    "14 meaning of YAML, all mistakes at once": {
        "config/test_reader.py": "test_scalars_mean_what_yaml_1_2_says",
        "config/test_messages.py": "test_every_mistake_at_once_in_the_order_of_the_lines",
    },
    "15 impossible settings": {
        "config/test_messages.py": "test_settings_out_of_their_bounds test_one_mistake "
        "test_what_the_data_does_not_hold",
        "config/test_checks.py": "test_every_check_finds_something",
    },
    "16 downloads": {
        "datasets/test_fetching.py": "test_nothing_bad_is_kept test_no_network "
        "test_a_download_that_is_stopped_leaves_nothing",
        "sweep/test_torture.py": "test_nested_gzip_bombs_are_told",
    },
    "17 names and links that lead out": {
        "config/test_messages.py": "test_names_that_are_no_folder_everywhere test_names_of_windows_devices",
        "sweep/test_sweep.py": "test_nothing_is_written_through_a_link_that_leads_out",
    },
    "18 read-only folder or HOME": {
        "sweep/test_sweep.py": "test_an_unwritable_folder_is_told_before_anything_trains",
        "datasets/test_fetching.py": "test_a_cache_that_cannot_be_written",
    },
    "19 labels of any script": {
        "plots/test_figures.py": "test_labels_are_text_in_an_svg test_one_warning_for_characters_without_a_font",
        "plots/test_style.py": "test_fonts_for_chinese_japanese_and_korean_are_fallbacks",
    },
    "21 pickles, foreign tables": {
        "datasets/test_npz.py": "test_pickles_are_never_loaded",
        "sweep/test_weights.py": "test_a_pickle_is_never_opened",
        "sweep/test_sweep.py": "test_a_foreign_parquet_file_is_refused",
    },
    "22 the same bits": {
        "test_same_bits.py": "test_the_same_bits_alone_in_chunks_in_workers_and_after_a_kill "
        "test_the_same_bits_of_convolutional_networks",
        "cluster/test_same_bits.py": "test_executors_workers_shards_and_storages_have_one_set_of_bits",
    },
    "23 a file that cannot be read at the moment": {
        "sweep/test_unreadable.py": "test_a_file_that_cannot_be_read_costs_nothing "
        "test_the_command_ends_with_a_sentence_where_a_part_cannot_be_read",
        "cluster/test_remote.py": "test_errors_are_sentences_with_the_url",
        "cluster/test_s3.py": "test_a_server_that_is_gone_ends_the_sweep_with_a_sentence",
    },
    "24 a folder or cache from somebody else": {
        "sweep/test_received.py": "test_a_part_of_wrong_content_is_set_aside_as_the_message_says",
        "cli/test_status.py": "test_a_note_that_another_program_wrote_disturbs_nobody "
        "test_a_command_cannot_steer_the_terminal",
        "cluster/test_remote.py": "test_a_lease_that_another_program_wrote_expires "
        "test_a_marker_that_another_program_wrote_costs_no_run",
        "sweep/test_unreadable.py": "test_a_fifo_is_not_read test_nothing_is_written_through_a_link_to_a_file",
        "datasets/test_hostile.py": "test_pipes_and_devices_are_no_files test_nothing_is_written_through_links",
        "cli/test_terminal.py": "test_a_table_cannot_steer_the_terminal",
    },
    "25 a server that drips, stalls, lies": {
        "datasets/test_hostile.py": "test_what_a_server_may_answer test_a_limit_on_time_without_progress "
        "test_a_stop_does_not_wait_for_a_server",
        "cluster/test_s3.py": "test_requests_that_are_lost_cost_nothing",
    },
    "26 a plug-in that raises anything": {
        "sweep/test_unreadable.py": "test_a_plugin_ends_its_own_runs_only_whatever_it_raises",
        "cluster/test_dask.py": "test_a_plug_in_ends_its_own_runs_only_whatever_it_raises",
    },
}


@pytest.mark.parametrize("fault", COVERED)
def test_its_tests_exist(fault: str) -> None:
    for file, names in COVERED[fault].items():
        there = set(re.findall(r"^def (test_\w+)", (TESTS / file).read_text("utf-8"), re.MULTILINE))
        assert set(names.split()) <= there, file

"""Which keyboard test sends which form: each door of `test_confirming_doors.py` and `open_doors.py` stands here once.

The fixture `typist` looks when a test is over whether all were sent. A door that is new has no line yet, and fails in
`test_keyboard_typist.py` until somebody has walked there without a mouse.
"""

WALKS: dict[str, tuple[str, ...]] = {
    "test_a_connector_is_registered_granted_and_claimed_without_a_mouse": (
        "connectors:connector_done",
        "connectors:create",
        "connectors:create_permissions",
        "connectors:handoff_claim",
        "connectors:handoff_done",
    ),
    "test_the_first_visit_leads_to_home_and_its_first_steps_without_a_mouse": ("accounts:identities",),
    "test_a_person_says_without_a_mouse_with_which_number_a_program_may_act": ("connectors:consent",),
    "test_a_further_number_is_added_after_signing_in_again_made_primary_and_removed": (
        "accounts:phone_add",
        "accounts:phone_pin",
        "accounts:phone_pin_again",
        "accounts:phone_primary",
        "accounts:phone_release",
        "accounts:sign_in_again",
    ),
    "test_mails_are_chosen_a_rule_is_set_and_all_other_browsers_are_signed_out": (
        "accounts:sessions_end_others",
        "accounts:settings_mail",
        "accounts:organisation_policy",
    ),
    "test_an_authenticator_app_is_set_up_confirms_and_is_removed": (
        "accounts:authenticator_remove",
        "accounts:authenticator_set_up",
    ),
    "test_what_was_done_is_filtered_exported_and_looked_at": ("activity_export",),
    "test_help_is_searched_and_brings_the_first_steps_back_before_one_signs_out": (
        "onboarding_restore",
        "onboarding_dismiss",
    ),
    "test_a_connector_is_deactivated_suspended_resumed_and_deleted_without_a_mouse": ("connectors:change_state",),
    "test_a_co_owner_comes_and_goes_and_the_connector_is_handed_on_without_a_mouse": (
        "connectors:owner_remove",
        "connectors:owner_transfer",
        "connectors:owners",
    ),
    "test_a_logo_is_refused_put_and_removed_without_a_mouse": ("connectors:logo", "connectors:logo_remove"),
    "test_a_key_is_made_and_registered_without_a_mouse": ("connectors:key_add",),
    "test_an_access_token_is_kept_ready_and_stopped_without_a_mouse": (
        "connectors:cached_token",
        "connectors:cached_token_stop",
    ),
    "test_a_delivery_is_found_and_sent_again_without_a_mouse": ("connectors:webhook_redeliver",),
    "test_attributes_are_made_ordered_noted_and_deleted_and_a_person_removed_everywhere": (
        "groups:attribute",
        "groups:attribute_remove",
        "groups:attribute_up",
        "groups:attributes",
        "groups:person_attributes",
        "groups:person_remove",
    ),
    "test_files_of_people_and_of_parent_groups_go_out_and_come_back": (
        "groups:bulk_cancel",
        "groups:bulk_export",
        "groups:mapping",
        "groups:mapping_export",
        "groups:people_export",
        "groups:people_upload",
    ),
    "test_old_messages_are_imported_with_columns_of_their_own_and_found": (
        "groups:archive_columns",
        "groups:archive_import",
    ),
    "test_a_group_is_made_gets_sub_groups_and_rules_and_is_deleted": (
        "groups:create",
        "groups:group_remove",
        "groups:policies",
        "groups:policies_rules",
        "groups:sub_group_attach",
        "groups:sub_group_detach",
        "groups:sub_groups",
    ),
    "test_cards_are_posted_answered_exported_and_commented_on_and_an_admin_steps_back": (
        "groups:action_export",
        "groups:announcement_post",
        "groups:files_post",
        "groups:reactions",
    ),
    "test_a_request_is_sent_by_link_and_approved_in_part_without_a_mouse": (
        "connectors:request_send",
        "groups:request_approve",
    ),
    "test_people_are_added_made_admin_and_removed_without_a_mouse": (
        "groups:user_remove",
        "groups:user_role",
        "groups:users_add",
    ),
    "test_several_requests_are_ticked_and_refused_without_a_mouse": ("groups:requests_several",),
    "test_several_people_are_ticked_and_removed_without_a_mouse": ("groups:users_several",),
    "test_subscribers_are_added_and_removed_without_a_mouse": (
        "groups:subscriber_remove",
        "groups:subscribers_add",
    ),
    "test_a_poll_is_posted_answered_and_liked_without_a_mouse": (
        "groups:action",
        "groups:like",
        "groups:messages",
        "groups:poll_post",
    ),
    "test_one_of_many_connectors_is_found_without_a_mouse": ("groups:connector_add",),
    "test_a_file_is_uploaded_checked_and_gone_on_with_without_a_mouse": (
        "groups:bulk",
        "groups:bulk_go",
    ),
    "test_details_permissions_and_sign_in_are_changed": (
        "connectors:change",
        "connectors:permissions",
        "connectors:sign_in",
    ),
    "test_credentials_are_made_kept_and_taken_away": (
        "connectors:key_remove",
        "connectors:secret_add",
        "connectors:secret_done",
        "connectors:secret_end_date",
        "connectors:secret_revoke",
    ),
    "test_a_leaked_credential_is_reported_by_anybody_and_answered_by_its_owner": (
        "connectors:leak_report",
        "connectors:leak_restore",
        "connectors:leak_revoke",
    ),
    "test_an_operation_is_found_and_tried_and_a_token_inspected": ("connectors:inspector",),
    "test_the_address_for_handoffs_is_registered_without_a_mouse": ("connectors:webhook_handoffs",),
    "test_a_webhook_is_paused_woken_replayed_given_a_new_secret_and_deleted": (
        "connectors:webhook_redeliver_failed",
        "connectors:webhook_replay",
        "connectors:webhook_secret",
        "connectors:webhook_secret_done",
        "connectors:webhook_secret_rotate",
        "connectors:webhook_state",
    ),
    "test_a_bot_is_made_renamed_and_deleted_and_the_usage_looked_at": (
        "connectors:bot_add",
        "connectors:bot_change",
        "connectors:bot_remove",
    ),
    "test_a_user_token_is_generated_and_ended": (
        "connectors:acting_end",
        "connectors:user_token",
    ),
    "test_a_second_admin_confirms_or_refuses_what_the_first_asks_for": ("connectors:user_token_request",),
    "test_handoffs_are_refused_issued_again_and_told_to_be_gone": (
        "connectors:handoff_refuse",
        "connectors:handoff_reissue",
    ),
    "test_requests_are_withdrawn_and_refused": (
        "accounts:confirm",
        "connectors:request_withdraw",
        "groups:request_refuse",
    ),
    "test_a_grant_is_shown_renewed_dated_stopped_and_removed_and_bots_come_and_go": (
        "groups:bot_add",
        "groups:bot_remove",
        "groups:grant_end_date",
        "groups:grant_regenerate",
        "groups:grant_remove",
        "groups:grant_resume",
        "groups:grant_show",
        "groups:grant_show_done",
        "groups:grant_suspend",
    ),
    "test_another_browser_is_signed_out_and_a_language_chosen": (
        "accounts:session_end",
        "accounts:settings_language",
    ),
}

# These have a form for browsers without scripts alone; with scripts the page makes the file itself.
WITHOUT_SCRIPTS = {
    "connectors:connector_download",
    "connectors:handoff_download",
    "connectors:secret_download",
    "connectors:webhook_secret_download",
    "groups:grant_show_download",
}

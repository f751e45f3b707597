"""What nobody may do alone, or at all: held on the roles and, for keys, on both sides of each grant."""

import pytest

from tests.infra.templates import APP_STACKS, House, in_transaction, line


def _who_may(house: House, stack: str, words: str) -> set[str]:
    """The roles with a grant whose line begins with these words, by action (or by name, for other services' roles)."""
    return {
        role.action or role.name
        for role in house.stacks[stack].roles().values()
        if any(f"{text} ".startswith(words if words.endswith(":") else f"{words} ") for text in role.lines())
    }


MANIFEST_WRITERS = {"write_manifest", "write_database_manifest"}
KINDS = ("vault", "database")
ROW_READERS = {"find_lost_rows", "plan_row_recovery", "export_rows"}
"""Who reads the rows of a restored backup and of the live database side by side, and changes neither."""

MAKE_PASSWORDS = {"create_credential", "set_credential", "prove_credential"}
"""Who sees the passwords of tenants in the clear."""

pytestmark = pytest.mark.parametrize("stack", APP_STACKS)


def test_only_the_restore_may_log_in_to_vault_as_one_who_replaces_all_of_it(house: House, stack: str) -> None:
    assert _who_may(house, stack, "kms:Sign vault-restore") == {"restore_vault_snapshot"}


def test_only_the_inventory_and_the_proof_may_log_in_as_one_who_reads_every_secret(house: House, stack: str) -> None:
    assert _who_may(house, stack, "kms:Sign vault-inventory") == {"read_vault_inventory", "verify_vault"}


def test_no_function_may_log_in_to_vault_under_two_duties(house: House, stack: str) -> None:
    for role in house.stacks[stack].roles().values():
        duties = [text for text in role.lines() if text.startswith("kms:Sign vault-")]
        assert len(duties) <= 1, f"{role.name}: {duties}"


def test_only_wrap_keys_may_open_a_seal_key(house: House, stack: str) -> None:
    assert _who_may(house, stack, "kms:Decrypt seal") == {"wrap_keys"}


def test_only_who_wraps_it_and_who_makes_sets_or_proves_a_password_may_open_the_platform_s_master_key(
    house: House, stack: str
) -> None:
    assert _who_may(house, stack, "kms:Decrypt escrow for platform-master-key") == {"wrap_keys", *MAKE_PASSWORDS}
    assert _who_may(house, stack, "kms:Decrypt escrow for escrow") == MAKE_PASSWORDS
    assert _who_may(house, stack, "kms:GenerateDataKey escrow") == {"create_credential"}


def test_who_opens_passwords_may_tell_nobody_and_take_no_backup(house: House, stack: str) -> None:
    tellers = _who_may(house, stack, "ses:SendEmail") | _who_may(house, stack, "sns:Publish")
    assert "tell_tenant" in tellers
    assert tellers & MAKE_PASSWORDS == set()
    assert _who_may(house, stack, "kms:GenerateDataKey backup") & MAKE_PASSWORDS == set()


def test_who_reads_every_secret_may_open_no_backup_and_who_opens_backups_may_read_no_secret(
    house: House, stack: str
) -> None:
    readers = _who_may(house, stack, "kms:Sign vault-inventory")
    openers = _who_may(house, stack, "kms:Decrypt backup for backup")
    openers |= _who_may(house, stack, "kms:Decrypt backup in the other region for backup")
    assert openers == {"verify_backup", "copy_backup", "restore_vault_snapshot", "restore_database"}
    assert readers & openers == set()
    # What the two readers may open beside that: the key that digests were made with, and only to compare.
    assert _who_may(house, stack, "kms:Decrypt backup for digest-key") == {"verify_vault"}


def test_who_makes_a_backup_cannot_open_it(house: House, stack: str) -> None:
    makers = _who_may(house, stack, "kms:GenerateDataKey backup for backup")
    assert makers == {"take_vault_snapshot", "dump_database"}
    assert makers & _who_may(house, stack, "kms:Decrypt backup") == set()


def test_who_opens_a_backup_can_seal_nothing_that_would_pass_for_one(house: House, stack: str) -> None:
    """A dump that somebody has opened and changed is of no use to them: they can neither seal it nor sign for it."""
    openers = _who_may(house, stack, "kms:Decrypt backup for backup")
    assert {"restore_database", "restore_vault_snapshot"} < openers
    assert openers & _who_may(house, stack, "kms:GenerateDataKey") == set()
    assert openers & _who_may(house, stack, "kms:Sign evidence") == set()


def test_only_who_dumps_the_database_wraps_the_key_of_its_roles_and_of_none_of_vaults(house: House, stack: str) -> None:
    """The roles of a server may hold hashes of passwords: they lie in the manifest under a key of their own."""
    assert _who_may(house, stack, "kms:GenerateDataKey backup for backup-key") == {"wrap_keys", "dump_database"}
    assert _who_may(house, stack, "kms:Decrypt backup for backup-key") == set()


def test_who_restores_opens_the_settings_of_a_database_and_nobody_else_does(house: House, stack: str) -> None:
    assert _who_may(house, stack, "kms:GenerateDataKey backup for database-settings") == {"dump_database"}
    assert _who_may(house, stack, "kms:Decrypt backup for database-settings") == {"restore_database"}


def test_only_those_who_write_manifests_and_the_signer_of_heads_may_sign_evidence(house: House, stack: str) -> None:
    assert _who_may(house, stack, "kms:Sign evidence") == {*MANIFEST_WRITERS, "sign_audit_heads"}


def test_who_writes_a_manifest_cannot_read_what_it_signs_for(house: House, stack: str) -> None:
    assert not MANIFEST_WRITERS & _who_may(house, stack, "kms:Decrypt")


def test_who_stores_an_object_writes_no_manifest_and_who_writes_a_manifest_stores_no_object(
    house: House, stack: str
) -> None:
    """The copy, which puts both, does so in the other region alone."""
    put = "s3:PutObject backups/vault"
    assert _who_may(house, stack, f"{put}/*.enc") == {"take_vault_snapshot", "copy_backup"}
    assert _who_may(house, stack, f"{put}/*.manifest.json") == {"write_manifest", "copy_backup"}
    put = "s3:PutObject backups/database"
    assert _who_may(house, stack, f"{put}/*.enc") == {"dump_database", "copy_backup"}
    assert _who_may(house, stack, f"{put}/*.manifest.json") == {"write_database_manifest", "copy_backup"}
    copier = house.stacks[stack].role_of("copy_backup").lines()
    assert all(text.endswith(" in the other region") for text in copier if text.startswith("s3:PutObject "))


def test_who_reads_every_secret_may_fetch_no_stored_object(house: House, stack: str) -> None:
    fetchers = {}
    for kind in KINDS:
        fetchers[kind] = _who_may(house, stack, f"s3:GetObject backups/{kind}/*.enc")
        fetchers[kind] |= _who_may(house, stack, f"s3:GetObjectVersion backups/{kind}/*.enc")
    of_both = {"verify_backup", "copy_backup", "rebuild_catalog", "apply_retention"}
    assert fetchers["vault"] == {"restore_vault_snapshot"} | of_both
    assert fetchers["database"] == {"restore_database", "copy_to_second_store"} | of_both
    everybody = fetchers["vault"] | fetchers["database"]
    assert everybody & _who_may(house, stack, "kms:Sign vault-inventory") == set()


def test_what_leaves_for_somebody_elses_store_can_be_opened_neither_there_nor_by_who_takes_it(
    house: House, stack: str
) -> None:
    """The copier to the second store reads sealed objects, and may open none and change none."""
    may = house.stacks[stack].role_of("copy_to_second_store").lines()
    assert not [text for text in may if text.startswith(("kms:Decrypt", "kms:GenerateDataKey", "s3:PutObject "))]


def test_an_object_of_the_backups_is_granted_as_an_object_or_as_a_manifest_and_never_as_any(
    house: House, stack: str
) -> None:
    for role in house.stacks[stack].roles().values():
        for grant in role.grants:
            bucket, _, pattern = grant.resource.rpartition(":::")[2].partition("/")
            if bucket.startswith("mailark-backups-") and pattern:
                allowed = [f"{kind}/*.{suffix}" for kind in KINDS for suffix in ("enc", "manifest.json")]
                assert pattern in allowed, line(grant, role.stack)


def _who_touches(house: House, stack: str, words: str) -> set[str]:
    """The actions with a grant in whose line these words stand."""
    roles = house.stacks[stack].roles().values()
    return {role.action for role in roles if role.action and any(words in text for text in role.lines())}


def test_who_works_for_one_kind_of_backup_reaches_no_other(house: House, stack: str) -> None:
    of_both = {"verify_backup", "copy_backup", "lock_backup", "apply_retention", "rebuild_catalog"}
    vault = _who_touches(house, stack, "backups/vault/")
    assert vault & _who_touches(house, stack, "backups/database/") == of_both
    assert vault > of_both


def test_who_reaches_the_database_may_not_log_in_to_vault(house: House, stack: str) -> None:
    """Whoever reads rows reads no credential, and the other way round."""
    readers = _who_touches(house, stack, "secretsmanager:GetSecretValue smtpy-db")
    assert readers
    assert readers & _who_touches(house, stack, "kms:Sign vault-") == set()


def test_who_proves_the_services_does_so_with_their_login_alone_and_who_checks_a_restore_tries_whether_it_gets_in(
    house: House, stack: str
) -> None:
    """With a login that may do more, a proof would not show that the service's own is enough."""
    holders = _who_may(house, stack, "secretsmanager:GetSecretValue smtpy-service-AbCdEf")
    assert holders == {"verify_services", "check_restore"}
    assert "verify_services" not in _who_touches(house, stack, "secretsmanager:GetSecretValue smtpy-db")


def test_who_stops_services_reaches_no_row_and_who_reads_rows_stops_no_service(house: House, stack: str) -> None:
    """Both together could put another database under the services, with nobody the wiser."""
    stoppers = _who_may(house, stack, "secretsmanager:GetSecretValue smtpy-supervisord-AbCdEf")
    assert stoppers == {"stop_services", "start_services"}
    assert stoppers & _who_touches(house, stack, "secretsmanager:GetSecretValue smtpy-db") == set()


def test_who_changes_anything_of_the_database_checks_the_lease_and_who_only_looks_has_none(
    house: House, stack: str
) -> None:
    """Two operations never change one database at once. (`verify_database` marks what its own operation restored.)"""
    holders = _who_may(house, stack, "dynamodb:UpdateItem leases")
    logging_in = _who_touches(house, stack, "secretsmanager:GetSecretValue smtpy-")
    changing = {"restore_database", "drop_database", "swap_databases", "undo_database_swap", "import_rows"}
    assert logging_in & holders == changing | {"stop_services", "start_services"}
    looking = {"check_database", "check_restore", "check_swap_undo", "assess_database", "dump_database"}
    proving = {"verify_database", "verify_services"}
    assert logging_in - holders == looking | proving | ROW_READERS


def test_rows_that_are_read_go_to_the_work_bucket_and_nowhere_else(house: House, stack: str) -> None:
    """And who imports them may write no preview: what a person has approved was written by somebody else."""
    for action in (*sorted(ROW_READERS), "import_rows"):
        written = {text for text in house.stacks[stack].role_of(action).lines() if text.startswith(("s3:", "sns:"))}
        allowed = {"s3:PutObject work/*"} if action == "plan_row_recovery" else set()
        if action == "export_rows":
            allowed = {"s3:PutObject work/*", "s3:AbortMultipartUpload work/*"}
        assert written == allowed, action


def test_who_brings_rows_back_can_give_no_approval_for_it(house: House, stack: str) -> None:
    deciders = _who_touches(house, stack, "approvals")
    assert deciders == {"open_approval", "request_approval", "decide_approval", "close_approval"}
    assert deciders & _who_touches(house, stack, "secretsmanager:") == set()


def test_only_begin_operation_may_take_a_lease(house: House, stack: str) -> None:
    assert _who_may(house, stack, "dynamodb:PutItem leases") == {"begin_operation"}


def test_an_execution_s_history_is_read_by_who_measures_it_and_by_who_starts_the_services_after_it(
    house: House, stack: str
) -> None:
    assert _who_may(house, stack, "states:GetExecutionHistory") == {"complete_operation", "check_services_start"}


def test_only_retention_may_delete_a_backup_and_only_by_its_version(house: House, stack: str) -> None:
    for kind in KINDS:
        for suffix in ("enc", "manifest.json"):
            assert _who_may(house, stack, f"s3:DeleteObjectVersion backups/{kind}/*.{suffix}") == {"apply_retention"}
    assert _who_may(house, stack, "dynamodb:DeleteItem catalog") == {"apply_retention"}
    assert not _who_may(house, stack, "s3:DeleteObject backups")


def test_a_lock_is_set_by_those_who_keep_backups_and_lifted_by_nobody(house: House, stack: str) -> None:
    """Without s3:BypassGovernanceRetention a lock can only be made longer (Amazon S3 guide, "Governance mode")."""
    for kind in KINDS:
        for suffix in ("enc", "manifest.json"):
            put = f"s3:PutObjectRetention backups/{kind}/*.{suffix}"
            assert _who_may(house, stack, put) == {"lock_backup", "copy_backup", "apply_retention"}


def test_nobody_else_may_delete_anything_and_nobody_may_unlock_anything(house: House, stack: str) -> None:
    for role in house.stacks[stack].roles().values():
        for grant in role.grants:
            service, name = grant.action.split(":")
            if role.action == "apply_retention" and name in ("DeleteObjectVersion", "DeleteItem"):
                continue
            if service in ("s3", "dynamodb", "kms", "ssm", "secretsmanager", "states", "sqs", "sns", "iam"):
                deed = (
                    "Delete",
                    "BatchWrite",
                    "PartiQL",
                    "Bypass",
                    "PutObjectLegalHold",
                    "Schedule",
                )
                assert not name.startswith(deed), f"{role.name} may {grant.action}"


def test_an_event_of_the_audit_trail_can_be_added_only_inside_a_transaction_and_changed_by_nobody(
    house: House, stack: str
) -> None:
    writers = set()
    for role in house.stacks[stack].roles().values():
        for grant in role.grants:
            if not grant.resource.endswith(("/mailark-audit-events", "/mailark-audit-heads")):
                continue
            if grant.action == "dynamodb:PutItem":
                assert in_transaction(grant), line(grant, role.stack)
                writers.add(role.action)
            else:
                assert grant.action in ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"), line(grant, role.stack)
    assert writers == AUDITING | {"chain_spooled_events"}


AUDITING = {
    *("apply_retention", "begin_operation", "complete_operation", "fail_operation", "report_failed_execution"),
    *("open_approval", "decide_approval", "close_approval", "assess_database"),
}
"""Who appends events to the audit trail."""


def test_each_folder_of_the_audit_bucket_is_put_into_by_those_whose_work_it_is(house: House, stack: str) -> None:
    putters = {
        folder: _who_may(house, stack, f"s3:PutObject audit/{folder}/*")
        for folder in ("events", "heads", "spool", "chained")
    }
    assert putters == {
        "events": {"archive_audit_events", "sign_audit_heads"},
        "heads": {"sign_audit_heads"},
        "spool": AUDITING,
        "chained": {"chain_spooled_events"},
    }


def test_nobody_does_anything_to_the_audit_bucket_but_put_get_and_list(house: House, stack: str) -> None:
    found = set()
    for role in house.stacks[stack].roles().values():
        for grant in role.grants:
            bucket, _, pattern = grant.resource.rpartition(":::")[2].partition("/")
            if bucket.startswith("mailark-audit-"):
                found.add(grant.action)
                assert pattern in ("", "events/*", "heads/*", "spool/*", "chained/*"), line(grant, role.stack)
    reading = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions"}
    assert found == {"s3:PutObject"} | reading


def test_who_verifies_the_audit_trail_may_write_nothing_at_all(house: House, stack: str) -> None:
    may = {grant.action for grant in house.stacks[stack].role_of("verify_audit_trail").grants}
    own_log = {"logs:CreateLogStream", "logs:PutLogEvents"}
    reading = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "s3:GetObjectVersion", "s3:ListBucketVersions"}
    assert may == own_log | reading | {"kms:GetPublicKey"}


def test_only_those_who_report_archive_or_ask_may_tell_people_anything(house: House, stack: str) -> None:
    tellers = {"report_failed_execution", "request_approval"}
    security_only = {"archive_audit_events", "alert_security", "detect_compromise", "sweep_suspects"}
    assert _who_may(house, stack, "sns:") == tellers | security_only
    assert _who_may(house, stack, "sns:Publish operations") == tellers


def test_nobody_here_may_write_a_decision_that_is_a_person_s(house: House, stack: str) -> None:
    assert _who_may(house, stack, "ssm:PutParameter") == set()
    assert _who_may(house, stack, "ssm:GetParameterHistory") == {"decide_approval", "close_approval"}
    assert _who_may(house, stack, "states:SendTaskSuccess") == {"request_approval", "decide_approval"}


def test_only_who_has_seen_the_manifest_may_put_a_backup_into_a_catalog(house: House, stack: str) -> None:
    finders = {"rebuild_catalog", "apply_retention"}
    putters = _who_may(house, stack, "dynamodb:PutItem catalog")
    assert putters == {*MANIFEST_WRITERS, "copy_backup"} | finders
    assert finders <= _who_may(house, stack, "kms:Verify evidence")
    assert _who_may(house, stack, "kms:Decrypt") & finders == set()


def test_no_role_may_pass_or_take_a_role_or_change_a_policy(house: House, stack: str) -> None:
    for role in house.stacks[stack].roles().values():
        assert {grant.action.split(":")[0] for grant in role.grants} & {"iam", "sts", "organizations"} == set()
        changers = [grant.action for grant in role.grants if "Policy" in grant.action or "Grant" in grant.action]
        # The log delivery of Step Functions writes its own resource policy; nothing else does.
        assert role.action is None or not changers

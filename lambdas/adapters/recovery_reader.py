"""The role that reads conditions: what it may read of the restored database, and that it may do nothing else.

It has no right of the server's (`pg_read_all_data` covers verifiers of passwords too), but one on each table.
"""

from psycopg import sql

from lambdas.adapters.recovery_session import Session

_IS_READER = sql.SQL("""
select exists (select from pg_roles r where rolname = 'mailark_reader' and rolbypassrls and rolinherit
    and not (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication)
    and not exists (select from pg_auth_members where member = r.oid))
""")
_MAKE_READER = sql.SQL("""
do $$ begin create role mailark_reader; exception when duplicate_object or unique_violation then null; end $$;
alter role mailark_reader nologin nosuperuser nocreaterole nocreatedb noreplication inherit bypassrls;
do $$
declare
    held record;
begin
    for held in select roleid::regrole, grantor::regrole from pg_auth_members
                 where member = 'mailark_reader'::regrole loop
        if current_setting('server_version_num')::int < 160000 then
            execute format('revoke %s from mailark_reader cascade', held.roleid);
        else  -- several may have granted the same
            execute format('revoke %s from mailark_reader granted by %s cascade', held.roleid, held.grantor);
        end if;
    end loop;
end $$
""")
_SCHEMAS = sql.SQL("""
select nspname from pg_namespace n
 where nspname !~ '^pg_' and nspname <> 'information_schema'
   and not has_schema_privilege('mailark_reader', n.oid, 'usage')
""")
_TABLES = sql.SQL(r"""
with recursive reads(view, relation) as (
    select ev_class, relid[1]::oid
      from pg_rewrite, regexp_matches(ev_action::text, ':relid (\d+)', 'g') relid where ev_class >= 16384
), reached(view, relation) as (
    select * from reads union select r.view, n.relation from reached r join reads n on n.view = r.relation
)
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm')
   and (n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        or n.oid = pg_my_temp_schema() and c.relname ~ '^mailark_content_')
   and not has_table_privilege('mailark_reader', c.oid, 'select')
   and not exists (select from reached r where r.view = c.oid and r.relation < 16384
                      and not has_table_privilege('mailark_reader', r.relation, 'select'))
""")
"""All but foreign tables; of this session's own tables those that number rows without primary key.

Views read with their owners' rights: those that reach a catalog that not everybody may read are left out.

PostgreSQL notes no dependency on its own catalogs, so what a view reads is taken from the rule that it is made of.
16384: PostgreSQL's source, transam.h, `FirstNormalObjectId`.
"""


def let_read(backup: Session) -> None:
    """Make the role `mailark_reader`, or put it right, and let it read this database; no transaction is open.

    Raises `DatabaseRequestFailed` where the login may not do this.
    """
    if not backup.rows(_IS_READER)[0][0]:
        backup.run(_MAKE_READER)
    grants = (
        ("grant usage on schema {} to mailark_reader", backup.rows(_SCHEMAS)),
        ("grant select on table {} to mailark_reader", backup.rows(_TABLES)),
    )
    for grant, lacking in grants:
        if lacking:
            named = [sql.Identifier(*map(str, each)) for each in lacking]
            backup.run(sql.SQL(grant).format(sql.SQL(", ").join(named)))

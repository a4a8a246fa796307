-- What the application's user may do in this database. Run as the master, who is no superuser on RDS, in one
-- transaction. Every statement that changes something is made by a query that finds out first whether it is
-- needed: where all is as it should be, nothing is executed and nothing printed.
-- psql gets the user as :user.

-- A user with more rights than an application needs is refused.
SELECT set_config('kube_cfn.user', :'user', true) AS user_of_the_application \gset
\set QUIET on
DO $$
DECLARE
  name text := current_setting('kube_cfn.user');
  found pg_roles;
BEGIN
  IF name = current_user THEN
    RAISE EXCEPTION 'the user "%" is the master of this database', name;
  END IF;
  SELECT * INTO found FROM pg_roles WHERE rolname = name;
  IF found.rolsuper OR found.rolcreaterole OR found.rolreplication OR found.rolbypassrls
    OR EXISTS (
      SELECT FROM pg_roles
      WHERE rolname IN ('rds_superuser', current_user) AND pg_has_role(found.oid, oid, 'MEMBER')
    )
  THEN
    RAISE EXCEPTION 'the user "%" of this database administers it', name;
  END IF;
END
$$;
\set QUIET off

SELECT format('CREATE ROLE %I LOGIN', :'user')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec

-- A snapshot may bring the user as one that nobody may log in as.
SELECT format('ALTER ROLE %I LOGIN', :'user')
FROM pg_roles WHERE rolname = :'user' AND NOT rolcanlogin \gexec
SELECT format('ALTER ROLE %I VALID UNTIL ''infinity''', :'user')
FROM pg_roles WHERE rolname = :'user' AND rolvaliduntil < 'infinity' \gexec

-- The master reads and changes what the application owns, since the person on call logs in as the master. Changing the
-- owner of the schema below needs it too. USAGE rather than MEMBER: since 16 the creator of a role is a member of it
-- without its rights.
SELECT format('GRANT %I TO %I', :'user', current_user)
WHERE NOT pg_has_role(current_user, :'user', 'USAGE') \gexec

-- CREATE is for schemas of the application's own and for the extensions that any owner may install.
SELECT format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), :'user')
WHERE NOT (
  has_database_privilege(:'user', current_database(), 'CONNECT')
  AND has_database_privilege(:'user', current_database(), 'CREATE')
  AND has_database_privilege(:'user', current_database(), 'TEMPORARY')
) \gexec

-- Migrations drop and make schemas, which takes their owner. The database itself stays the master's, so that nobody
-- drops it by a wrong DATABASE_URL. A schema that a user of a snapshot owns stays with that user.
SELECT format('ALTER SCHEMA public OWNER TO %I', :'user')
FROM pg_namespace
WHERE nspname = 'public' AND pg_get_userbyid(nspowner) IN ('pg_database_owner', current_user)
  AND pg_has_role(current_user, nspowner, 'USAGE') \gexec

-- Where it could not be handed over: before 15 an administrator above the master owns it on RDS.
SELECT format('GRANT USAGE, CREATE ON SCHEMA public TO %I', :'user')
FROM pg_namespace
WHERE nspname = 'public'
  AND NOT (has_schema_privilege(:'user', oid, 'USAGE') AND has_schema_privilege(:'user', oid, 'CREATE')) \gexec

-- What the master makes later, in an emergency, must not be closed to the application.
SELECT format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON %s TO %I', kind.words, :'user')
FROM (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES')) AS kind (letter, words)
WHERE EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public')
  AND NOT EXISTS (
    SELECT FROM pg_default_acl AS given, aclexplode(given.defaclacl) AS entry
    WHERE pg_get_userbyid(given.defaclrole) = current_user
      AND given.defaclnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public')
      AND given.defaclobjtype = kind.letter::"char"
      AND pg_get_userbyid(entry.grantee) = :'user'
  ) \gexec

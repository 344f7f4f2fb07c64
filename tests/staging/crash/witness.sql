-- A witness of every write to the ledger, and barriers at which a Prisma command of ours can be made to wait in the middle.
CREATE SCHEMA staging;

CREATE TABLE staging.writes (
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    by_whom TEXT NOT NULL DEFAULT current_setting('application_name'),
    what TEXT NOT NULL,
    migration TEXT NOT NULL,
    attempt TEXT NOT NULL
);

-- A barrier is down while somebody holds the advisory lock of its name.
CREATE FUNCTION staging.barrier(name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') LIKE 'prisma-recovery effect%' THEN
        PERFORM pg_advisory_xact_lock_shared(7, hashtext(name));
    END IF;
END $$;

CREATE FUNCTION staging.ledger() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    what TEXT := CASE
        WHEN TG_OP = 'INSERT' AND NEW.finished_at IS NULL THEN 'begun'
        WHEN TG_OP = 'INSERT' THEN 'marked applied'
        WHEN NEW.rolled_back_at IS DISTINCT FROM OLD.rolled_back_at THEN 'rolled back'
        WHEN NEW.finished_at IS DISTINCT FROM OLD.finished_at THEN 'finished'
        WHEN NEW.applied_steps_count IS DISTINCT FROM OLD.applied_steps_count THEN 'counted'
        ELSE 'logged'
    END;
BEGIN
    PERFORM staging.barrier(what);
    INSERT INTO staging.writes (what, migration, attempt) VALUES (what, NEW.migration_name, NEW.id);
    RETURN NEW;
END $$;

CREATE TRIGGER staging_ledger BEFORE INSERT OR UPDATE ON "_prisma_migrations"
    FOR EACH ROW EXECUTE FUNCTION staging.ledger();

CREATE FUNCTION staging.script() RETURNS EVENT_TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM staging.barrier('index');
    -- Where there is no such sequence this is NULL. A sequence counts on through the rollback.
    IF nextval(to_regclass('staging.failing')) = 1 THEN
        RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
    END IF;
END $$;

CREATE EVENT TRIGGER staging_script ON ddl_command_start WHEN TAG IN ('CREATE INDEX')
    EXECUTE FUNCTION staging.script();

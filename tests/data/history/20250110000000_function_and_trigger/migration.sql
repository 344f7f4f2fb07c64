CREATE OR REPLACE FUNCTION touch_user() RETURNS trigger AS $$
BEGIN
    NEW."last_seen_at" := now();
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER "User_touch" BEFORE UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION touch_user();

CREATE FUNCTION full_name(first text, last text DEFAULT '') RETURNS text
    LANGUAGE sql IMMUTABLE AS 'SELECT first || '' '' || last';

-- AlterTable
ALTER TABLE "places" ADD COLUMN     "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- Kept current by the database, because the nightly import writes past the ORM.
CREATE FUNCTION "touch_updated_at"() RETURNS TRIGGER AS $$
BEGIN
    NEW."updated_at" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER "places_touch_updated_at" BEFORE UPDATE ON "places"
    FOR EACH ROW EXECUTE FUNCTION "touch_updated_at"();

-- CreateView
CREATE VIEW "published_places" AS
SELECT "id", "slug", "name", "city" FROM "places" WHERE "status" = 'PUBLISHED';

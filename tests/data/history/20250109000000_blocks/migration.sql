-- Guarded by hand
DO $$ BEGIN
    CREATE TYPE "Plan" AS ENUM ('FREE', 'PAID');
EXCEPTION
    WHEN duplicate_object THEN null;
END $$;

ALTER TABLE "User" ADD COLUMN IF NOT EXISTS "plan" "Plan" NOT NULL DEFAULT 'FREE';

DO $$ BEGIN
    ALTER TABLE "User" ADD CONSTRAINT "User_age_check" CHECK ("age" > 0);
EXCEPTION
    WHEN duplicate_object THEN null;
END $$;

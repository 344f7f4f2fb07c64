ALTER TABLE "Purchase" ENABLE ROW LEVEL SECURITY;

CREATE POLICY "own_purchases" ON "Purchase" FOR SELECT USING ("user_id" = current_user);

REVOKE ALL ON "Purchase" FROM PUBLIC;

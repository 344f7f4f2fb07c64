-- CreateIndex
CREATE INDEX "User_active_idx" ON "User"("created_at") WHERE "active";

-- CreateIndex
CREATE INDEX "User_lower_email_idx" ON "User" (lower("email"));

-- CreateIndex
CREATE INDEX "Order_details_idx" ON "Order" USING GIN ("details" jsonb_path_ops);

-- CreateIndex
CREATE INDEX "Order_notes_idx" ON "Order" USING GIN ("notes");

-- CreateIndex
CREATE UNIQUE INDEX "Order_user_id_id_key" ON "Order"("user_id", "id") INCLUDE ("total");

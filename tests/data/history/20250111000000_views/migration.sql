CREATE VIEW "active_users" AS SELECT "id", "email", "handle" FROM "User" WHERE "active";

CREATE OR REPLACE VIEW "paying_users" AS
    SELECT u."id", count(p."id") AS purchases FROM "User" u LEFT JOIN "Purchase" p ON p."user_id" = u."id"
    WHERE u."plan" = 'PAID' GROUP BY u."id";

CREATE MATERIALIZED VIEW "sales" AS SELECT "user_id", sum("total") AS total FROM "Purchase" GROUP BY "user_id";

CREATE UNIQUE INDEX "sales_user_id_key" ON "sales"("user_id");

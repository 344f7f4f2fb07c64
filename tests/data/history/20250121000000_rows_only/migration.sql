UPDATE "User" SET "plan" = 'PAID' WHERE "plan" = 'FREE';

DELETE FROM "Country" WHERE "code" = 'CH';

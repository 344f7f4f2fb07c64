CREATE SCHEMA prisma_recovery;
CREATE TABLE prisma_recovery.format (version integer NOT NULL);
INSERT INTO prisma_recovery.format VALUES (1);
CREATE TABLE prisma_recovery.event (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  run text NOT NULL,
  seq integer NOT NULL,
  time text NOT NULL,
  kind text NOT NULL,
  state text NOT NULL,
  payload json NOT NULL,
  writer text NOT NULL,
  digest text NOT NULL,
  UNIQUE (target, run, seq)
);
REVOKE UPDATE, DELETE, TRUNCATE ON prisma_recovery.event FROM CURRENT_USER;
COMMENT ON SCHEMA prisma_recovery IS 'The journal of prisma-recovery: what recoveries intended, did and saw. Append-only.';
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 1, '2026-01-01T12:00:00+00:00', 'run.started', 'PREFLIGHT', '{"target":"t","source":"s"}', 'ad6053d401329b29', '62d57b6cf2ae2abc0009f0082853ae8a3270161a136de3567db3279afd6f7fd5');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 2, '2026-01-01T12:00:00+00:00', 'preflight.checked', 'PREFLIGHT', '{"target.identity":{"outcome":"held","seen":"production in memory"}}', 'a3cf52e66adc1415', 'bddda3097eb729e94d5ea5125b35d5282ecb79c81b29cf8981058134e6714481');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 3, '2026-01-01T12:00:00+00:00', 'state.moved', 'PREFLIGHT', '{"from":"PREFLIGHT","to":"INSPECT","because":"all 1 checks hold"}', 'e240006dfd7787b1', 'a5f99f85ef24d65b4bb56ba49380805827139e99e10f0aca3c1d979fb247cc83');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 4, '2026-01-01T12:00:00+00:00', 'migration.failed', 'INSPECT', '{"migration":"20260102_failed","sqlstate":null,"kind":"unknown","transient":false,"logs":null}', 'cd89ce1009fffce4', '3e316a6037b65a67f207fbd7122d237bf55108b098d58edfbd86a5a37ee7e4eb');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 5, '2026-01-01T12:00:00+00:00', 'state.moved', 'INSPECT', '{"from":"INSPECT","to":"CLASSIFY","because":"20260102_failed failed"}', '9b7c0b7aa5ba5ae8', '3d4ccb6528e93bbed3faeb2fdabfbb2cefef8b3ee9a406f0e26d82e26984cf5b');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 6, '2026-01-01T12:00:00+00:00', 'migration.classified', 'CLASSIFY', '{"migration":"20260102_failed","verdict":"undecidable","decision":"operator","digest":"sha256:fa16c3904dd94859a68ff580d9f93205cf133b16863f86ea4c7b1ff16f9922b6","reasons":["What the schema can show of the script is not in production, but not all of it can be seen.","Statement 3 is open: its effect can''t be seen in the schema."],"attempted":true,"ran_to_its_end":false}', '7c1d157988294e98', 'ac57cfb623eb8ba78f44d787b6719dc5ecad846077967f0cfd6f022bf2de28a7');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 7, '2026-01-01T12:00:00+00:00', 'state.moved', 'CLASSIFY',  E'{"from":"CLASSIFY","to":"BLOCKED","because":"20260102_failed is undecidable: What the schema can show of the script is not in production, but not all of it can be seen. Statement 3 is open: its effect can''t be seen in the schema. Nothing was changed.","code":"classify.undecidable","remedy":"Find out what the schema can''t show (see the open statements), then decide: prisma-recovery approve 20260102_failed --applied|--rolled-back --evidence sha256:fa16c3904dd94859a68ff580d9f93205cf133b16863f86ea4c7b1ff16f9922b6 --reason \\"\\u2026\\""}', 'b27fac9bd96b20eb', '56662a2aceb77e28eff9d033d0dda55d473b97a64fa172cd2e3a4305028ae8c4');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 8, '2026-01-01T12:00:00+00:00', 'evidence.approved', 'BLOCKED', '{"migration":"20260102_failed","decision":"mark_rolled_back","evidence":"sha256:fa16c3904dd94859a68ff580d9f93205cf133b16863f86ea4c7b1ff16f9922b6","reason":"looked"}', '98d8cc315d19130f', '070043a8194bc924b13768106b295cfd2e6f9afefd3245d77e72a0f75872bc97');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 9, '2026-01-01T12:00:00+00:00', 'state.moved', 'BLOCKED', '{"from":"BLOCKED","to":"PREFLIGHT","because":"run again"}', '74b7a4a3de114ccb', '50154ba59a2adc087e531b71390f670939a0307365d85f4225761f5eea3ead19');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 10, '2026-01-01T12:00:00+00:00', 'preflight.checked', 'PREFLIGHT', '{"target.identity":{"outcome":"held","seen":"production in memory"}}', '0d39b56fa0be444b', 'a29d930cdd7168f87ae35e45ebcf1f79bf0853889c97afcd8c23aa885c341e4e');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 11, '2026-01-01T12:00:00+00:00', 'state.moved', 'PREFLIGHT', '{"from":"PREFLIGHT","to":"INSPECT","because":"all 1 checks hold"}', '6fa50069b531d70b', 'd2257c71b9dca67666c607b929faf570682afbb85ab76fb47ad810e0293ef7fc');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 12, '2026-01-01T12:00:00+00:00', 'state.moved', 'INSPECT', '{"from":"INSPECT","to":"CLASSIFY","because":"20260102_failed failed"}', '03e57533f0a5cf92', 'c939a30cc044684fbca347b014a8b6f92bf78c10bc82ebf277a1c7384551e2ba');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 13, '2026-01-01T12:00:00+00:00', 'migration.classified', 'CLASSIFY', '{"migration":"20260102_failed","verdict":"undecidable","decision":"operator","digest":"sha256:fa16c3904dd94859a68ff580d9f93205cf133b16863f86ea4c7b1ff16f9922b6","reasons":["What the schema can show of the script is not in production, but not all of it can be seen.","Statement 3 is open: its effect can''t be seen in the schema."],"attempted":true,"ran_to_its_end":false}', 'a7f1f535fae5358a', 'fd6fbc7237db4238a68e4bd60b182e947dcc0aaea7dd8b1a676dee052f2436f0');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 14, '2026-01-01T12:00:00+00:00', 'state.moved', 'CLASSIFY', '{"from":"CLASSIFY","to":"RESOLVE","because":"a person approved this evidence: 20260102_failed is to be marked rolled back"}', '889bc800530e80a6', '8b1bb64ce5ad20e3f76763d15106ba56da9a2eecb99a5410b7d746952e72e026');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 15, '2026-01-01T12:00:00+00:00', 'effect.intended', 'RESOLVE', '{"effect":"mark_rolled_back:20260102_failed","migration":"20260102_failed","evidence":"sha256:fa16c3904dd94859a68ff580d9f93205cf133b16863f86ea4c7b1ff16f9922b6"}', '4b6a813665a439b5', '7543361b503a26b1c84286084482f0cf24f19200f075445ba175511b22bb279a');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 16, '2026-01-01T12:00:00+00:00', 'effect.observed', 'RESOLVE', '{"effect":"mark_rolled_back:20260102_failed","migration":"20260102_failed","rows":["row-2"],"shown":true,"unchanged":"","exit_code":0,"seconds":0.0,"output":""}', '26c66e160e57ff4c', 'd32987f452f575b4f2c7a74f43cee236b392c212cc6af5b4fc39d02661b50e12');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 17, '2026-01-01T12:00:00+00:00', 'state.moved', 'RESOLVE', '{"from":"RESOLVE","to":"DEPLOY","because":"20260102_failed is resolved, 2 pending"}', '67ae5df031ffbc87', '9b1e02988120e5608b1efc9cc5fcbbc172cb6b661ee155f91951a313ced7b25c');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('approved', '20260101-120000-000000', 18, '2026-01-01T12:00:00+00:00', 'effect.intended', 'DEPLOY', '{"effect":"deploy:20260102_failed,20260103_later","planned":{"20260102_failed":"492ed755d8cff4f1e71fa0533fb1441a66cf451588c2e0326551ccf9679879df","20260103_later":"993b1da750f881a6de7d98fd07005db2d12643f2bdcdc8f0fabebc3d32683bc0"}}', 'afda95e5e85cfc32', 'bb182dcd92eaab82d278802a20a36fb6dffec5b1dcf324df5b71f2ab6292c461');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 1, '2026-01-01T12:00:00+00:00', 'run.started', 'PREFLIGHT', '{"target":"t","source":"s"}', 'fabb1da1592cd0cd', '2389fd5acb4281d5c452ce3d949d5992464138a470771a67b8aa6fbbdd215fb0');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 2, '2026-01-01T12:00:00+00:00', 'preflight.checked', 'PREFLIGHT', '{"target.identity":{"outcome":"held","seen":"production in memory"}}', 'a998910d7c88d5dc', '2e0494bcc588c7792607e267f741d8a3503c8b548d411a8139b3f955b3758da5');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 3, '2026-01-01T12:00:00+00:00', 'state.moved', 'PREFLIGHT', '{"from":"PREFLIGHT","to":"INSPECT","because":"all 1 checks hold"}', '5afdae5a5d51ee25', 'b835201906585438de32d4642479894d6d20c6daa0fc3a1c107d786623b811c9');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 4, '2026-01-01T12:00:00+00:00', 'migration.failed', 'INSPECT', '{"migration":"20260102_failed","sqlstate":null,"kind":"unknown","transient":false,"logs":null}', '09ab3500a8924a60', 'c0a074de5cbfa55dd6a671774d6db28ec464f90d55641aee9092f8485d0090e2');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 5, '2026-01-01T12:00:00+00:00', 'state.moved', 'INSPECT', '{"from":"INSPECT","to":"CLASSIFY","because":"20260102_failed failed"}', 'acd1f8d7f638090b', '89323e5cf8528df02ff21d596ef0f1703db70383aba085e0ff70a129f5246ca7');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 6, '2026-01-01T12:00:00+00:00', 'migration.classified', 'CLASSIFY', '{"migration":"20260102_failed","verdict":"not_applied","decision":"mark_rolled_back","digest":"sha256:2e3351f64b8c789f1be70f0a175d80e272b0a6297412b9ba93fc2d9e1abef4e6","reasons":["Nothing of the script is in production."],"attempted":true,"ran_to_its_end":false}', 'dd4ec046d370ddb4', '57220b391d7987f095f59faec4c7e20fc4ad58d847d6f1710ed0ca3e66fe1892');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 7, '2026-01-01T12:00:00+00:00', 'state.moved', 'CLASSIFY', '{"from":"CLASSIFY","to":"RESOLVE","because":"the evidence decides: 20260102_failed is to be marked rolled back"}', 'e89480c7e72e9df7', '6b26644db7d76b4d5659fcf0d5d94f5aad0768e5bcd551155b5f1b3123c5a0a2');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 8, '2026-01-01T12:00:00+00:00', 'effect.intended', 'RESOLVE', '{"effect":"mark_rolled_back:20260102_failed","migration":"20260102_failed","evidence":"sha256:2e3351f64b8c789f1be70f0a175d80e272b0a6297412b9ba93fc2d9e1abef4e6"}', '5ed504d6822a0878', 'ce1a6565c3e7877e058e5971cc42cf5972e759c12a2582d6bb641ca15d6d7097');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 9, '2026-01-01T12:00:00+00:00', 'effect.observed', 'RESOLVE', '{"effect":"mark_rolled_back:20260102_failed","migration":"20260102_failed","rows":["row-2"],"shown":true,"unchanged":"","exit_code":0,"seconds":0.0,"output":""}', '6248f63ba914b286', 'cab6fb63913071c97e4d8644e9f30fd4190833f3207cbb6205096c4c7288e61e');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 10, '2026-01-01T12:00:00+00:00', 'state.moved', 'RESOLVE', '{"from":"RESOLVE","to":"DEPLOY","because":"20260102_failed is resolved, 2 pending"}', 'b63fae364b9b64f9', 'ef6a494495bbb6612f8a686fd6b802d33ee7c8b9dbed76a6b61caa4f900938e0');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 11, '2026-01-01T12:00:00+00:00', 'effect.intended', 'DEPLOY', '{"effect":"deploy:20260102_failed,20260103_later","planned":{"20260102_failed":"b20d844a5ac71625ca4a004a6f42163ef69d3f5423f659a01f1017620b585c20","20260103_later":"92cc20873a94123e0222b985f9789213efd807aef756562a79c536e6fd0a1ecc"}}', 'e78079bf68d9f270', '4206aeeed6d6f9336feb6cef0550b345b1bb94309ca1f1215cad7aa51a439300');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 12, '2026-01-01T12:00:00+00:00', 'effect.observed', 'DEPLOY', '{"deployed":["20260102_failed"],"effect":"deploy:20260102_failed,20260103_later","migration":"","rows":[],"shown":false,"unchanged":"","exit_code":1,"seconds":0.0,"output":""}', '31920f557e0fc126', '2ca2d8a425d2f241ec9230dd13600d7d037e722c3cf9c32c8d67cf7eacdbf913');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('failing_once', '20260101-120001-000001', 13, '2026-01-01T12:00:00+00:00', 'migration.failed', 'DEPLOY',  E'{"migration":"20260103_later","sqlstate":"40P01","kind":"deadlock","transient":true,"logs":"A migration failed to apply.\\n\\nMigration name: 20260103_later\\n\\nDatabase error code: 40P01\\n\\nDatabase error:\\nERROR: as planned\\n\\nDbError { severity: \\"ERROR\\", parsed_severity: Some(Error), code: SqlState(E40P01) }\\n"}', 'a72c39d7c908dcb3', 'aee44c568aa1d5525807ebaeb6466e6d9d3e107bc239b700865046587a1a384d');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 1, '2026-01-01T12:00:00+00:00', 'run.started', 'PREFLIGHT', '{"target":"t","source":"s"}', '8e70c7740b9f93ce', '1dce33aa61a232078c656ce91a694f8e9d91b3a1beb38508a0d4d763ef4de70a');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 2, '2026-01-01T12:00:00+00:00', 'preflight.checked', 'PREFLIGHT', '{"target.identity":{"outcome":"held","seen":"production in memory"}}', 'dbd359438aed3869', '4ff951a638c58e52d61b8c6121228cdd62aa64b67e7bb2461f75a720be89be09');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 3, '2026-01-01T12:00:00+00:00', 'state.moved', 'PREFLIGHT', '{"from":"PREFLIGHT","to":"INSPECT","because":"all 1 checks hold"}', '6aa31c07a888bd26', '5d3178bafd046a9da498fe7b0a910791aaab09fc1947b75c0cf8d884e6b4426b');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 4, '2026-01-01T12:00:00+00:00', 'migration.failed', 'INSPECT', '{"migration":"20260102_failed","sqlstate":null,"kind":"unknown","transient":false,"logs":null}', '3a96746536ec06e0', '25266c12886753ca94320e0da86225db4c27c3fb5ffbea30d3d95ba965659283');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 5, '2026-01-01T12:00:00+00:00', 'state.moved', 'INSPECT', '{"from":"INSPECT","to":"CLASSIFY","because":"20260102_failed failed"}', 'da7727534831053e', '655c115afe5dc0151c3076ab69c9519fb3c90dc5e669c23d0b102ce6c815e1df');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 6, '2026-01-01T12:00:00+00:00', 'migration.classified', 'CLASSIFY', '{"migration":"20260102_failed","verdict":"applied","decision":"mark_applied","digest":"sha256:b7db616988edf7f4a9fb708a4718537062c0a10e712e576d4f24db2a480ca125","reasons":["All 2 statements of the script are in production."],"attempted":true,"ran_to_its_end":false}', '07679f17b13d60a5', 'b8c7424c63469117cb8c529f7ab16203cea562ced758e75aa2222703c720d1bd');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 7, '2026-01-01T12:00:00+00:00', 'state.moved', 'CLASSIFY', '{"from":"CLASSIFY","to":"RESOLVE","because":"the evidence decides: 20260102_failed is to be marked applied"}', '1d0e9487218f6cf9', 'e2e284f70e37b118d02d0fdcee0e2d141137bceaa9eb6b0e3736383c349cf825');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 8, '2026-01-01T12:00:00+00:00', 'effect.intended', 'RESOLVE', '{"effect":"mark_applied:20260102_failed","migration":"20260102_failed","evidence":"sha256:b7db616988edf7f4a9fb708a4718537062c0a10e712e576d4f24db2a480ca125"}', 'fd60c54d803fc271', 'a8dbf49bab42c4f61a22452bb8a10a06adda5dfa6aadae99a43e95aa4dd7f7e5');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 9, '2026-01-01T12:00:00+00:00', 'effect.observed', 'RESOLVE', '{"effect":"mark_applied:20260102_failed","migration":"20260102_failed","rows":["row-2","row-3"],"shown":true,"unchanged":"","exit_code":0,"seconds":0.0,"output":""}', '4f7e5e60fd90826a', '8e85f6c80e68c39d73be1a00234654a06be7dc66b84a0e524f8964366f597961');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 10, '2026-01-01T12:00:00+00:00', 'state.moved', 'RESOLVE', '{"from":"RESOLVE","to":"DEPLOY","because":"20260102_failed is resolved, 1 pending"}', '2cf2a9046daf948d', 'a5e0ff1bba0894fcdca20c68a35ab479e0d52bc8293a696780701ca7ed5e33e0');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 11, '2026-01-01T12:00:00+00:00', 'effect.intended', 'DEPLOY', '{"effect":"deploy:20260103_later","planned":{"20260103_later":"993b1da750f881a6de7d98fd07005db2d12643f2bdcdc8f0fabebc3d32683bc0"}}', '4c94276ef2b4aaa0', '6079033654551ab4f8a8e7a9404ea645d8a168ba813fdaee5a83ef1c8dd57d34');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 12, '2026-01-01T12:00:00+00:00', 'effect.observed', 'DEPLOY', '{"deployed":["20260103_later"],"effect":"deploy:20260103_later","migration":"","rows":[],"shown":true,"unchanged":"","exit_code":0,"seconds":0.0,"output":""}', '5921d55522e3f362', 'f3bf7422c770130f9a9745b7b44431cb04cf63e5d1cb0afa34626e5bad742894');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 13, '2026-01-01T12:00:00+00:00', 'state.moved', 'DEPLOY', '{"from":"DEPLOY","to":"VERIFY","because":"deployed 20260103_later"}', 'b579660baa17c5c9', '34b919e0b6f474cfc8f0ff227aaaf9628b78727cc6726e6bf1135ff9456f3be7');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 14, '2026-01-01T12:00:00+00:00', 'state.moved', 'VERIFY', '{"from":"VERIFY","to":"PIPELINE_READY","because":"schema and history agree"}', '3294f5701022aaf8', 'ec84690dcfa425a999dcc3cd162a37f3182c31fa6920db79aef0882d185edd2b');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 15, '2026-01-01T12:00:00+00:00', 'pipeline.requested', 'PIPELINE_READY', '{}', 'bebecc6f0738b477', '224bbed6a017f618b5af9f909d1cae1e91fe9a9f9481aaab615f0683bce21f84');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 16, '2026-01-01T12:00:00+00:00', 'step.intended', 'PIPELINE_READY', '{"step":"load:0cf67fc72b3c86c7","name":"load"}', '9abfa51e927576fb', '1cadf86caa95933f7d53630253ee6238ada81d35a4bdf98526ef0c6500911d95');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 17, '2026-01-01T12:00:00+00:00', 'step.observed', 'PIPELINE_READY', '{"step":"load:0cf67fc72b3c86c7","name":"load","exit_code":0,"seconds":0.0}', '89d3ad6886ee84f6', '08b50fb7ce1ed73a3cb03f300f2614f11cdbe5e5dfdb96b27bfd652f7dd2538f');
INSERT INTO prisma_recovery.event (target, run, seq, time, kind, state, payload, writer, digest)
  VALUES ('pipeline', '20260101-120002-000002', 18, '2026-01-01T12:00:00+00:00', 'step.intended', 'PIPELINE_READY', '{"step":"promote:363256bd153813bc","name":"promote"}', '983b8577382eb446', '04eba3c0d11a6698a327e67a5fdc1e05cd80b1343e12a90c2f2eeb1ffecc7b26');

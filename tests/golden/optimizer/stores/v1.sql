-- A study in the middle of its life, as version 1 stored it. See tests/integration/python/golden_store_test.py.
PRAGMA application_id=1113945185;
PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE attempt_rows(
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  trainer TEXT NOT NULL,
  from_step INTEGER NOT NULL,
  until INTEGER NOT NULL,
  resumed_from TEXT,        -- uri of a checkpoint; NULL: from scratch
  outcome TEXT,             -- reached, stopped, paused, failed, lost; NULL while it runs
  step INTEGER,
  failure TEXT,
  message TEXT,
  started_at_us INTEGER NOT NULL,
  ended_at_us INTEGER,
  began_us INTEGER NOT NULL,  -- the clock `active_us` of study_rows when it started
  work_us INTEGER,            -- and how far that went until it ended
  trained INTEGER,            -- steps, `until` at most
  gpus INTEGER NOT NULL,
  ranks INTEGER,              -- that were chosen for it; NULL: the study file gives one number
  PRIMARY KEY(trial, attempt)
) WITHOUT ROWID;
INSERT INTO "attempt_rows" VALUES(0,1,'ask-tell',0,1,NULL,'reached',1,NULL,NULL,1796071250560073,1796071250963694,7952,18964,1,0,NULL);
INSERT INTO "attempt_rows" VALUES(1,1,'ask-tell',0,1,NULL,'failed',1,'diverged','`loss` was not finite',1796071250560262,1796071250967988,8141,23069,1,0,NULL);
INSERT INTO "attempt_rows" VALUES(2,1,'ask-tell',0,1,NULL,NULL,NULL,NULL,NULL,1796071250560262,NULL,8141,NULL,NULL,0,NULL);
INSERT INTO "attempt_rows" VALUES(3,1,'ask-tell',0,1,NULL,'failed',0,'infra','told by the driver',1796071250560262,1796071250575854,8141,15592,0,0,NULL);
CREATE TABLE checkpoint_rows(
  seq INTEGER PRIMARY KEY,  -- of the event
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  step INTEGER NOT NULL,
  uri TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT,
  damaged INTEGER NOT NULL  -- found missing or changed by an attempt that was to go on from it
);
CREATE TABLE events(
  seq INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,   -- microseconds since 1970, UTC
  type TEXT NOT NULL,
  body TEXT NOT NULL        -- JSON
);
INSERT INTO "events" VALUES(1,1796071250552121,'study_created','{"build":"0.1.0","document":{"algorithm":{"name":"random","scheduler":"asha"},"fidelity":{"max":9,"name":"epoch"},"objective":{"metric":"loss"},"parameter_order":["x","kind","depth"],"parameters":{"depth":{"max":8,"min":1,"type":"int","when":"kind == a"},"kind":{"type":"categorical","values":["a","b"]},"x":{"max":1,"min":0,"type":"float"}},"stopping":{"trials":8},"study":{"name":"golden","seed":1},"trainer":{"external":true},"trials":{"retry":{"infra":1}},"version":1},"name":"golden","schema":1,"seed":1}');
INSERT INTO "events" VALUES(2,1796071250552121,'optimizer_started','{"build":"0.1.0","epoch":1,"user":"somebody"}');
INSERT INTO "events" VALUES(3,1796071250555824,'configuration_enqueued','{"configuration":{"kind":"b","x":0.5},"user":"somebody"}');
INSERT INTO "events" VALUES(4,1796071250560073,'trial_created','{"configuration":{"kind":"b","x":0.5},"note":null,"origin":"enqueued","trial":0}');
INSERT INTO "events" VALUES(5,1796071250560073,'attempt_started','{"attempt":1,"from":0,"trainer":"ask-tell","trial":0,"until":1}');
INSERT INTO "events" VALUES(6,1796071250560262,'trial_created','{"basis":{"count":32,"index":0,"seq":5},"configuration":{"depth":1,"kind":"a","x":0.40920735547119746},"note":null,"origin":"random","plan":0,"trial":1}');
INSERT INTO "events" VALUES(7,1796071250560262,'attempt_started','{"attempt":1,"from":0,"trainer":"ask-tell","trial":1,"until":1}');
INSERT INTO "events" VALUES(8,1796071250560262,'trial_created','{"basis":{"count":32,"index":1,"seq":5},"configuration":{"kind":"b","x":0.7258440681747961},"note":null,"origin":"random","plan":0,"trial":2}');
INSERT INTO "events" VALUES(9,1796071250560262,'attempt_started','{"attempt":1,"from":0,"trainer":"ask-tell","trial":2,"until":1}');
INSERT INTO "events" VALUES(10,1796071250560262,'trial_created','{"basis":{"count":32,"index":2,"seq":5},"configuration":{"depth":2,"kind":"a","x":0.6356662693360111},"note":null,"origin":"random","plan":0,"trial":3}');
INSERT INTO "events" VALUES(11,1796071250560262,'attempt_started','{"attempt":1,"from":0,"trainer":"ask-tell","trial":3,"until":1}');
INSERT INTO "events" VALUES(12,1796071250564025,'reported','{"attempt":1,"diverged":false,"loss":0.5,"metrics":{"loss":0.5},"seq":1,"step":1,"trial":0}');
INSERT INTO "events" VALUES(13,1796071250567977,'reported','{"attempt":1,"diverged":false,"loss":0.40920735547119746,"metrics":{"loss":0.40920735547119746},"seq":1,"step":1,"trial":1}');
INSERT INTO "events" VALUES(14,1796071250573702,'reported','{"attempt":1,"diverged":false,"loss":0.7258440681747961,"metrics":{"loss":0.7258440681747961},"seq":1,"step":1,"trial":2}');
INSERT INTO "events" VALUES(15,1796071250575854,'attempt_ended','{"attempt":1,"charged":true,"end":"failed","failure":"infra","message":"told by the driver","step":0,"trial":3}');
INSERT INTO "events" VALUES(16,1796071250960511,'optimizer_started','{"build":"0.1.0","epoch":2,"user":"somebody"}');
INSERT INTO "events" VALUES(17,1796071250963674,'reported','{"attempt":1,"diverged":false,"loss":0.25,"metrics":{"loss":0.25,"seconds":3.0},"seq":2,"step":1,"trial":0}');
INSERT INTO "events" VALUES(18,1796071250963694,'attempt_ended','{"attempt":1,"charged":true,"end":"reached","message":"","step":1,"trial":0}');
INSERT INTO "events" VALUES(19,1796071250967966,'reported','{"attempt":1,"diverged":true,"metrics":{},"seq":2,"step":1,"trial":1}');
INSERT INTO "events" VALUES(20,1796071250967966,'decided','{"action":"stop","attempt":1,"by":"optimizer","reason":"`loss` is not finite","step":1,"trial":1}');
INSERT INTO "events" VALUES(21,1796071250967988,'attempt_ended','{"attempt":1,"charged":true,"end":"failed","failure":"diverged","message":"`loss` was not finite","step":1,"trial":1}');
INSERT INTO "events" VALUES(22,1796071250967988,'trial_closed','{"outcome":"failed","trial":1}');
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('epoch',2);
INSERT INTO "meta" VALUES('projection',7);
CREATE TABLE report_rows(
  seq INTEGER PRIMARY KEY,  -- of the event
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  step INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  loss REAL,
  metrics TEXT NOT NULL
);
INSERT INTO "report_rows" VALUES(12,0,1,1,1796071250564025,0.5,'{"loss":0.5}');
INSERT INTO "report_rows" VALUES(13,1,1,1,1796071250567977,4.0920735547119746478e-01,'{"loss":0.40920735547119746}');
INSERT INTO "report_rows" VALUES(14,2,1,1,1796071250573702,7.25844068174796075432e-01,'{"loss":0.7258440681747961}');
INSERT INTO "report_rows" VALUES(17,0,1,1,1796071250963674,0.25,'{"loss":0.25,"seconds":3.0}');
INSERT INTO "report_rows" VALUES(19,1,1,1,1796071250967966,NULL,'{}');
CREATE TABLE requests(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE TABLE study_rows(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO "study_rows" VALUES('active_us',31210);
INSERT INTO "study_rows" VALUES('build','0.1.0');
INSERT INTO "study_rows" VALUES('closed_reason','');
INSERT INTO "study_rows" VALUES('document','{"algorithm":{"name":"random","scheduler":"asha"},"fidelity":{"max":9,"name":"epoch"},"objective":{"metric":"loss"},"parameter_order":["x","kind","depth"],"parameters":{"depth":{"max":8,"min":1,"type":"int","when":"kind == a"},"kind":{"type":"categorical","values":["a","b"]},"x":{"max":1,"min":0,"type":"float"}},"stopping":{"trials":8},"study":{"name":"golden","seed":1},"trainer":{"external":true},"trials":{"retry":{"infra":1}},"version":1}');
INSERT INTO "study_rows" VALUES('enqueued',0);
INSERT INTO "study_rows" VALUES('epoch',2);
INSERT INTO "study_rows" VALUES('first_at_us',1796071250552121);
INSERT INTO "study_rows" VALUES('full_budget',9);
INSERT INTO "study_rows" VALUES('last_at_us',1796071250967988);
INSERT INTO "study_rows" VALUES('name','golden');
INSERT INTO "study_rows" VALUES('seed','1');
CREATE TABLE trial_rows(
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,      -- waiting, running, paused, closed
  outcome TEXT,             -- completed, stopped, failed, cancelled; NULL until closed
  loss REAL,                -- objective at loss_step, the highest step that has one; minimised
  loss_step INTEGER NOT NULL DEFAULT 0,
  step INTEGER NOT NULL DEFAULT 0,           -- of the current or last attempt
  metrics TEXT NOT NULL DEFAULT '{}',        -- of the highest step reported
  metrics_step INTEGER NOT NULL DEFAULT -1,
  standing_level INTEGER,   -- what it counts for in the search for the best one
  standing_violation REAL,
  standing_loss REAL,
  watched TEXT NOT NULL DEFAULT '{}',  -- last values of the metrics that outcome constraints read
  violation REAL NOT NULL,  -- of those constraints; 0: all are met, infinite: not known
  origin TEXT NOT NULL,
  first INTEGER NOT NULL,   -- the trial whose configuration it trains again; itself if none
  parent INTEGER,           -- the trial with whose checkpoint it began; NULL: with nothing
  parent_step INTEGER,      -- of that checkpoint
  replaces INTEGER,         -- the trial that ended for it
  params TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  message TEXT,
  decision TEXT,
  decided_by TEXT,
  trainer TEXT,
  until INTEGER,
  checkpoint TEXT,
  checkpoint_step INTEGER,
  note TEXT,
  created_at_us INTEGER NOT NULL,
  started_at_us INTEGER,
  ended_at_us INTEGER
);
INSERT INTO "trial_rows" VALUES(0,'paused',NULL,0.25,1,1,'{"loss":0.25,"seconds":3.0}',1,1,0.0,0.25,'{}',0.0,'enqueued',0,NULL,NULL,NULL,'{"kind":"b","x":0.5}',1,0,NULL,NULL,NULL,NULL,'ask-tell',1,NULL,NULL,NULL,1796071250560073,1796071250560073,NULL);
INSERT INTO "trial_rows" VALUES(1,'closed','failed',4.0920735547119746478e-01,1,1,'{"loss":0.40920735547119746}',1,NULL,NULL,NULL,'{}',0.0,'random',1,NULL,NULL,NULL,'{"depth":1,"kind":"a","x":0.40920735547119746}',1,1,'diverged','`loss` was not finite','stop at step 1: `loss` is not finite','optimizer','ask-tell',1,NULL,NULL,NULL,1796071250560262,1796071250560262,1796071250967988);
INSERT INTO "trial_rows" VALUES(2,'running',NULL,7.25844068174796075432e-01,1,1,'{"loss":0.7258440681747961}',1,NULL,NULL,NULL,'{}',0.0,'random',2,NULL,NULL,NULL,'{"kind":"b","x":0.7258440681747961}',1,0,NULL,NULL,NULL,NULL,'ask-tell',1,NULL,NULL,NULL,1796071250560262,1796071250560262,NULL);
INSERT INTO "trial_rows" VALUES(3,'waiting',NULL,NULL,0,0,'{}',-1,NULL,NULL,NULL,'{}',0.0,'random',3,NULL,NULL,NULL,'{"depth":2,"kind":"a","x":0.6356662693360111}',1,1,'infra','told by the driver',NULL,NULL,'ask-tell',1,NULL,NULL,NULL,1796071250560262,1796071250560262,NULL);
CREATE INDEX trial_rows_by_state ON trial_rows(state, outcome, failure);
CREATE INDEX trial_rows_by_standing
  ON trial_rows(standing_level DESC, standing_violation, standing_loss)
  WHERE standing_loss IS NOT NULL;
CREATE INDEX trial_rows_by_first ON trial_rows(first) WHERE first <> id;
CREATE INDEX checkpoint_rows_by_trial ON checkpoint_rows(trial, seq);
CREATE INDEX report_rows_by_trial ON report_rows(trial, step);
CREATE VIEW trials AS SELECT
  id, state, outcome, loss, iif(violation < 9e999, violation, NULL) AS violation, step, params,
  metrics, origin, iif(first = id, NULL, first) AS repeats, parent, parent_step, replaces, attempt AS attempts, failures, failure, message, trainer, checkpoint,
  checkpoint_step,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at_us / 1e6, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', started_at_us / 1e6, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', ended_at_us / 1e6, 'unixepoch') AS ended_at
FROM trial_rows;
CREATE VIEW observations AS SELECT
  r.trial AS trial, r.attempt AS attempt, r.step AS step, m.key AS metric, m.value AS value,
  strftime('%Y-%m-%dT%H:%M:%fZ', r.at_us / 1e6, 'unixepoch') AS at
FROM report_rows r, json_each(r.metrics) m;
CREATE VIEW attempts AS SELECT
  trial, attempt, trainer, from_step, until, resumed_from, outcome, step, failure, message, gpus,
  ranks,
  strftime('%Y-%m-%dT%H:%M:%fZ', started_at_us / 1e6, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', ended_at_us / 1e6, 'unixepoch') AS ended_at
FROM attempt_rows;
CREATE VIEW checkpoints AS SELECT trial, attempt, step, uri, bytes, digest, damaged
FROM checkpoint_rows;
CREATE VIEW study AS SELECT key, value FROM study_rows;
DELETE FROM "sqlite_sequence";
COMMIT;

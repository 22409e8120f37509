-- Made by leave.py with the release of schema 1.

PRAGMA page_size=4096;

BEGIN TRANSACTION;

DROP TABLE IF EXISTS call;
CREATE TABLE call (id INTEGER PRIMARY KEY, account TEXT NOT NULL, started_at INTEGER NOT NULL);
INSERT INTO call VALUES(4,'default',1795431591035);
INSERT INTO call VALUES(12,'default',1795431591237);
INSERT INTO call VALUES(17,'default',1795431591326);

DROP TABLE IF EXISTS event;
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  key BLOB NOT NULL,
  data TEXT NOT NULL
);
INSERT INTO event VALUES(1,1795431591032,X'5F324B4D01F6CF04E5CE979DD8D01079','{"id":1,"kind":"inbound_sms","key":"hi-of-ben","received_at":"2026-11-23T10:59:51.032035Z","account":"default","contact":"+61491570102","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"hi-of-ben","status":null,"source_address":"+61491570102","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(5,1795431591050,X'B045968417387C3C40263339AD536C7F','{"id":5,"kind":"inbound_sms","key":"r22619-1795431591049050231-2","received_at":"2026-11-23T10:59:51.050258Z","account":"default","contact":"+61491570106","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22619-1795431591049050231-2","status":null,"source_address":"+61491570106","destination_address":"+61491593156","content":"CALL","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(9,1795431591236,X'B4B64D12A79896B8582B85478E70E12B','{"id":9,"kind":"inbound_sms","key":"r22619-1795431591234795809-3","received_at":"2026-11-23T10:59:51.236165Z","account":"default","contact":"+61491570103","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22619-1795431591234795809-3","status":null,"source_address":"+61491570103","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(13,1795431591281,X'06B226D263808922589BF2464A3B21B7','{"id":13,"kind":"inbound_sms","key":"r22619-1795431591279948554-4","received_at":"2026-11-23T10:59:51.281134Z","account":"default","contact":"+61491570103","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22619-1795431591279948554-4","status":null,"source_address":"+61491570103","destination_address":"+61491593156","content":"HI again","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(14,1795431591324,X'6BB4E9DA7557CA1214DC65B1CB3A385B','{"id":14,"kind":"inbound_sms","key":"r22619-1795431591323368239-5","received_at":"2026-11-23T10:59:51.324756Z","account":"default","contact":"+61491570104","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22619-1795431591323368239-5","status":null,"source_address":"+61491570104","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');

DROP TABLE IF EXISTS flow_source;
CREATE TABLE flow_source (
  digest TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  line INTEGER NOT NULL,
  language INTEGER NOT NULL,
  source TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO flow_source VALUES('35c0dc1b53feed502e88678dd2083b3c25042972bd2662a9d06093ac1d0755d2','crm','flows/crm.yaml',1,1,'name: crm
on: {inbound_sms: {keyword: CALL}}
steps:
  - http: {method: POST, url: "{{ secrets.CRM_URL }}", json: {number: "{{ contact.number }}"}}
    retry: {attempts: 5, delay: 1h, max_delay: 1h, backoff: constant, when: [5xx]}
  - reply: We call you back.
');
INSERT INTO flow_source VALUES('d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3','hello','flows/hello.yaml',1,1,'name: hello
on: {inbound_sms: {keyword: HI}}
steps:
  - reply: Hello.
');

DROP TABLE IF EXISTS meta;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('born_at','1795431590817');
INSERT INTO meta VALUES('identity','f236af93');

DROP TABLE IF EXISTS quarantine;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  body BLOB NOT NULL
);
INSERT INTO quarantine VALUES(8,1795431591232,'inbound','the body is an array, not a JSON object',X'5B7768617420697320746869733F');

DROP TABLE IF EXISTS run;
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  flow TEXT NOT NULL,
  account TEXT NOT NULL,
  contact TEXT,
  started_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  data TEXT NOT NULL
);
INSERT INTO run VALUES(2,'hello','default','+61491570102',1795431591035,'completed','{"id":2,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":1,"started_at":"2026-11-23T10:59:51.035753Z","contact":"+61491570102","our_number":"+61491593156","status":"completed","ended_at":"2026-11-23T10:59:51.042420Z","message_ids":["fb1ec408-1cd0-43a4-9141-000000000001"],"match":{"keyword":"HI","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:51.035753Z","0","command","to +61491570102: Hello."],["2026-11-23T10:59:51.042420Z","0","outcome","fb1ec408-1cd0-43a4-9141-000000000001"]]}');
INSERT INTO run VALUES(6,'crm','default','+61491570106',1795431591050,'running','{"id":6,"flow":"crm","digest":"35c0dc1b53feed502e88678dd2083b3c25042972bd2662a9d06093ac1d0755d2","event_id":5,"started_at":"2026-11-23T10:59:51.050997Z","contact":"+61491570106","our_number":"+61491593156","cursors":[{"address":"0","commands":[{"type":"http","id":"6:0:0","method":"POST","url":"﷐CRM_URL﷑","headers":{"Content-Type":"application/json"},"content":"{\"number\":\"+61491570106\"}","expect":["2xx"],"max_bytes":1048576,"timeout":"PT30S","retry":{"attempts":5,"delay":"PT3600S","backoff":"constant","max_delay":"PT3600S","when":["5xx"]}}],"attempts":{"6:0:0":{"number":2,"due":"2026-11-23T11:52:25.664039Z"}}}],"match":{"keyword":"CALL","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:51.050997Z","0","command","POST ﷐CRM_URL﷑"]]}');
INSERT INTO run VALUES(10,'hello','default','+61491570103',1795431591236,'running','{"id":10,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":9,"started_at":"2026-11-23T10:59:51.236812Z","contact":"+61491570103","our_number":"+61491593156","cursors":[{"address":"0","tally":{"asked":1,"open":"1"}}],"match":{"keyword":"HI","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:51.236812Z","0","command","to +61491570103: Hello."]]}');
INSERT INTO run VALUES(15,'hello','default','+61491570104',1795431591325,'running','{"id":15,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":14,"started_at":"2026-11-23T10:59:51.325524Z","contact":"+61491570104","our_number":"+61491593156","cursors":[{"address":"0","tally":{"asked":1,"open":"1"}}],"match":{"keyword":"HI","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:51.325524Z","0","command","to +61491570104: Hello."]]}');
CREATE INDEX run_open ON run (id) WHERE status = 'running';

DROP TABLE IF EXISTS seen;
CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID;

DROP TABLE IF EXISTS send;
CREATE TABLE send (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  account TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  due INTEGER,
  call INTEGER,
  message_id TEXT,
  reason TEXT,
  data TEXT NOT NULL
);
INSERT INTO send VALUES(3,2,'+61491570102','default',1795431591035,'sent',0,1,NULL,4,'fb1ec408-1cd0-43a4-9141-000000000001',NULL,'{"type":"send","id":"2:0:0","account":"default","to":"+61491570102","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570102"}}');
INSERT INTO send VALUES(11,10,'+61491570103','default',1795431591236,'sending',1,1,NULL,12,NULL,NULL,'{"type":"send","id":"10:0:0","account":"default","to":"+61491570103","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570103"}}');
INSERT INTO send VALUES(16,15,'+61491570104','default',1795431591325,'queued',1,1,NULL,NULL,NULL,'the provider asked to slow down (429)','{"type":"send","id":"15:0:0","account":"default","to":"+61491570104","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570104"}}');
CREATE INDEX send_open ON send (id) WHERE is_open;

DROP TABLE IF EXISTS unrouted;
CREATE TABLE unrouted (event INTEGER PRIMARY KEY);
INSERT INTO unrouted VALUES(13);

pragma user_version=1;
pragma application_id=1397637960;

COMMIT TRANSACTION;

-- Made by leave.py with the release of schema 2.

PRAGMA page_size=4096;

BEGIN TRANSACTION;

DROP TABLE IF EXISTS answer;
CREATE TABLE answer (key BLOB PRIMARY KEY, run INTEGER, reason TEXT) WITHOUT ROWID;

DROP TABLE IF EXISTS call;
CREATE TABLE call (id INTEGER PRIMARY KEY, account TEXT NOT NULL, started_at INTEGER NOT NULL);
INSERT INTO call VALUES(4,'default',1795431592589);
INSERT INTO call VALUES(10,'default',1795431592784);
INSERT INTO call VALUES(15,'default',1795431592843);
INSERT INTO call VALUES(21,'default',1795431592930);
INSERT INTO call VALUES(26,'default',1795431593020);

DROP TABLE IF EXISTS contact;
CREATE TABLE contact (
  number TEXT PRIMARY KEY,
  data TEXT,
  language TEXT,
  timezone TEXT,
  last_inbound_at INTEGER,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO contact VALUES('+61491570101','{"first_name":"Anna"}','de',NULL,NULL,1795431592782);

DROP TABLE IF EXISTS event;
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  key BLOB NOT NULL,
  data TEXT NOT NULL
);
INSERT INTO event VALUES(1,1795431592586,X'5F324B4D01F6CF04E5CE979DD8D01079','{"id":1,"kind":"inbound_sms","key":"hi-of-ben","received_at":"2026-11-23T10:59:52.586382Z","account":"default","contact":"+61491570102","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"hi-of-ben","status":null,"source_address":"+61491570102","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(5,1795431592606,X'E7735B8D873D44669AEFF3209AB22EE3','{"id":5,"kind":"inbound_sms","key":"r22629-1795431592604510378-2","received_at":"2026-11-23T10:59:52.606442Z","account":"default","contact":"+61491570106","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592604510378-2","status":null,"source_address":"+61491570106","destination_address":"+61491593156","content":"CALL","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(7,1795431592781,X'3F55C0232112C0968CE2CBBC19E97045','{"id":7,"kind":"inbound_sms","key":"r22629-1795431592779814879-3","received_at":"2026-11-23T10:59:52.781386Z","account":"default","contact":"+61491570101","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592779814879-3","status":null,"source_address":"+61491570101","destination_address":"+61491593156","content":"BOOK","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(11,1795431592796,X'2D2F2FA70D10E6D32D1EB9B24669C33B','{"id":11,"kind":"inbound_sms","key":"r22629-1795431592795106611-4","received_at":"2026-11-23T10:59:52.796322Z","account":"default","contact":"+61491570102","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592795106611-4","status":null,"source_address":"+61491570102","destination_address":"+61491593156","content":"LATER","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(13,1795431592841,X'6A8CAB70A311B8CC07057A666DD8C08D','{"id":13,"kind":"inbound_sms","key":"r22629-1795431592839852538-5","received_at":"2026-11-23T10:59:52.841055Z","account":"default","contact":"+61491570105","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592839852538-5","status":null,"source_address":"+61491570105","destination_address":"+61491593156","content":"STOP","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(18,1795431592929,X'9B2F93123D8825A023C77F91E39D08D0','{"id":18,"kind":"inbound_sms","key":"r22629-1795431592927903853-6","received_at":"2026-11-23T10:59:52.929085Z","account":"default","contact":"+61491570103","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592927903853-6","status":null,"source_address":"+61491570103","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(22,1795431592972,X'1A6C61E708A6872D608A05C93A552562','{"id":22,"kind":"inbound_sms","key":"r22629-1795431592971837146-7","received_at":"2026-11-23T10:59:52.972977Z","account":"default","contact":"+61491570103","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431592971837146-7","status":null,"source_address":"+61491570103","destination_address":"+61491593156","content":"HI again","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');
INSERT INTO event VALUES(23,1795431593017,X'1460459B790E56621A437042BA3FA4F9','{"id":23,"kind":"inbound_sms","key":"r22629-1795431593015856108-8","received_at":"2026-11-23T10:59:53.017565Z","account":"default","contact":"+61491570104","our_number":"+61491593156","fields":{"message_id":null,"reply_id":"r22629-1795431593015856108-8","status":null,"source_address":"+61491570104","destination_address":"+61491593156","content":"HI","type":"SMS","status_code":null,"submitted_date":null,"date_received":null,"attachments":[],"metadata":{}},"ignored":null}');

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
INSERT INTO flow_source VALUES('3c355395f8e770b444896a6e5a322b11a18ca84642f7ff288cc219e7df935c30','booking','flows/booking.yaml',1,1,'name: booking
on: {inbound_sms: {keyword: BOOK}}
steps:
  - remember: {first_name: Anna, language: de}
  - reply: Reply Y to confirm.
  - id: answer
    wait_for_reply: {timeout: 20h, categories: {confirmed: {answer: yes}}}
  - if: steps.answer.category == "confirmed"
    reply: "Confirmed, {{ contact.first_name }}."
');
INSERT INTO flow_source VALUES('82d89cd34aa1afa5fcbcc46b299bdf8b62f58c0141ea26e1805a8d0ca8b41073','later','flows/later.yaml',1,1,'name: later
on: {inbound_sms: {keyword: LATER}}
steps:
  - delay: 1h
  - reply: It is later now.
');
INSERT INTO flow_source VALUES('c313c729d4a2240327db0ecacc3f7c3792b7a0353708fa1284a160132a0390d0','policy: opt-out','sinchflow.yaml',1,1,'{
 "name": "policy: opt-out",
 "on": "inbound_sms",
 "steps": [
  {
   "opt_out": null,
   "retry": {
    "attempts": 30,
    "delay": "1m",
    "max_delay": "1h"
   },
   "on_error": [
    {
     "log": "the provider''s list was not told of an opt-out: {{ error.message }}"
    }
   ]
  }
 ]
}');
INSERT INTO flow_source VALUES('d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3','hello','flows/hello.yaml',1,1,'name: hello
on: {inbound_sms: {keyword: HI}}
steps:
  - reply: Hello.
');

DROP TABLE IF EXISTS kept;
CREATE TABLE kept (run INTEGER NOT NULL, address TEXT NOT NULL, items TEXT NOT NULL, PRIMARY KEY (run, address)) WITHOUT ROWID;

DROP TABLE IF EXISTS meta;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('born_at','1795431592339');
INSERT INTO meta VALUES('filed_to','0');
INSERT INTO meta VALUES('identity','a7d9ccc2');
INSERT INTO meta VALUES('salt','8e103dab17eb74a411036f1da567bab688b656aba70982d647b0374828922a36');

DROP TABLE IF EXISTS quarantine;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  body BLOB NOT NULL
);
INSERT INTO quarantine VALUES(17,1795431592885,'inbound','the body is an array, not a JSON object',X'5B7768617420697320746869733F');

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
INSERT INTO run VALUES(2,'hello','default','+61491570102',1795431592589,'completed','{"id":2,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":1,"started_at":"2026-11-23T10:59:52.589556Z","contact":"+61491570102","our_number":"+61491593156","status":"completed","ended_at":"2026-11-23T10:59:52.598376Z","message_ids":["a2dfa8e7-c528-4268-a770-000000000001"],"match":{"keyword":"HI","rest":""},"steps_taken":1,"let_through":1,"trace":[["2026-11-23T10:59:52.589556Z","0","command","to +61491570102: Hello."],["2026-11-23T10:59:52.598376Z","0","outcome","a2dfa8e7-c528-4268-a770-000000000001"]]}');
INSERT INTO run VALUES(6,'crm','default','+61491570106',1795431592607,'running','{"id":6,"flow":"crm","digest":"35c0dc1b53feed502e88678dd2083b3c25042972bd2662a9d06093ac1d0755d2","event_id":5,"started_at":"2026-11-23T10:59:52.607508Z","contact":"+61491570106","our_number":"+61491593156","cursors":[{"address":"0","commands":[{"type":"http","id":"6:0:0","method":"POST","url":"﷐CRM_URL﷑","headers":{"Content-Type":"application/json"},"content":"{\"number\":\"+61491570106\"}","expect":["2xx"],"max_bytes":1048576,"timeout":"PT30S","retry":{"attempts":5,"delay":"PT3600S","backoff":"constant","max_delay":"PT3600S","when":["5xx"]}}],"attempts":{"6:0:0":{"number":2,"due":"2026-11-23T11:52:27.213022Z"}}}],"match":{"keyword":"CALL","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:52.607508Z","0","command","POST ﷐CRM_URL﷑"]]}');
INSERT INTO run VALUES(8,'booking','default','+61491570101',1795431592782,'running','{"id":8,"flow":"booking","digest":"3c355395f8e770b444896a6e5a322b11a18ca84642f7ff288cc219e7df935c30","event_id":7,"started_at":"2026-11-23T10:59:52.782273Z","contact":"+61491570101","our_number":"+61491593156","cursors":[{"address":"2","commands":[{"type":"await_reply","id":"8:2:0","account":"default","contact":"+61491570101","our_number":"+61491593156","messages":["a2dfa8e7-c528-4268-a770-000000000002"],"until":"2026-11-24T06:59:52.786727Z"}]}],"message_ids":["a2dfa8e7-c528-4268-a770-000000000002"],"match":{"keyword":"BOOK","rest":""},"steps_taken":3,"let_through":1,"trace":[["2026-11-23T10:59:52.782273Z","0","remember","first_name, language"],["2026-11-23T10:59:52.782273Z","1","command","to +61491570101: Reply Y to confirm."],["2026-11-23T10:59:52.786727Z","1","outcome","a2dfa8e7-c528-4268-a770-000000000002"],["2026-11-23T10:59:52.786727Z","2","command","an answer of +61491570101 until 2026-11-24T06:59:52.786727+00:00"]]}');
INSERT INTO run VALUES(12,'later','default','+61491570102',1795431592797,'running','{"id":12,"flow":"later","digest":"82d89cd34aa1afa5fcbcc46b299bdf8b62f58c0141ea26e1805a8d0ca8b41073","event_id":11,"started_at":"2026-11-23T10:59:52.797213Z","contact":"+61491570102","our_number":"+61491593156","cursors":[{"address":"0","commands":[{"type":"sleep","id":"12:0:0","until":"2026-11-23T11:59:52.797213Z"}]}],"match":{"keyword":"LATER","rest":""},"steps_taken":1,"trace":[["2026-11-23T10:59:52.797213Z","0","command","until 2026-11-23T11:59:52.797213+00:00"]]}');
INSERT INTO run VALUES(14,'policy: opt-out','default','+61491570105',1795431592841,'completed','{"id":14,"flow":"policy: opt-out","digest":"c313c729d4a2240327db0ecacc3f7c3792b7a0353708fa1284a160132a0390d0","event_id":13,"started_at":"2026-11-23T10:59:52.841949Z","contact":"+61491570105","our_number":"+61491593156","status":"completed","ended_at":"2026-11-23T10:59:52.845978Z","steps_taken":1,"trace":[["2026-11-23T10:59:52.841949Z","0","command","opt_out +61491570105"],["2026-11-23T10:59:52.845978Z","0","outcome",null]]}');
INSERT INTO run VALUES(19,'hello','default','+61491570103',1795431592929,'running','{"id":19,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":18,"started_at":"2026-11-23T10:59:52.929910Z","contact":"+61491570103","our_number":"+61491593156","cursors":[{"address":"0","tally":{"asked":1,"open":"1"}}],"match":{"keyword":"HI","rest":""},"steps_taken":1,"let_through":1,"trace":[["2026-11-23T10:59:52.929910Z","0","command","to +61491570103: Hello."]]}');
INSERT INTO run VALUES(24,'hello','default','+61491570104',1795431593018,'running','{"id":24,"flow":"hello","digest":"d6ddc5970b8126ab705bd17e81e231f27ead5d165de48ac2f82041e68b9568a3","event_id":23,"started_at":"2026-11-23T10:59:53.018787Z","contact":"+61491570104","our_number":"+61491593156","cursors":[{"address":"0","tally":{"asked":1,"open":"1"}}],"match":{"keyword":"HI","rest":""},"steps_taken":1,"let_through":1,"trace":[["2026-11-23T10:59:53.018787Z","0","command","to +61491570104: Hello."]]}');
CREATE INDEX run_open ON run (id) WHERE status = 'running';

DROP TABLE IF EXISTS run_of;
CREATE TABLE run_of (contact TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (contact, run)) WITHOUT ROWID;

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
INSERT INTO send VALUES(3,2,'+61491570102','default',1795431592589,'sent',0,1,NULL,4,'a2dfa8e7-c528-4268-a770-000000000001',NULL,'{"type":"send","id":"2:0:0","account":"default","to":"+61491570102","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570102"}}');
INSERT INTO send VALUES(9,8,'+61491570101','default',1795431592782,'sent',0,1,NULL,10,'a2dfa8e7-c528-4268-a770-000000000002',NULL,'{"type":"send","id":"8:1:0","account":"default","to":"+61491570101","body":{"content":"Reply Y to confirm.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570101"}}');
INSERT INTO send VALUES(20,19,'+61491570103','default',1795431592930,'sending',1,1,NULL,21,NULL,NULL,'{"type":"send","id":"19:0:0","account":"default","to":"+61491570103","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570103"}}');
INSERT INTO send VALUES(25,24,'+61491570104','default',1795431593019,'queued',1,1,NULL,NULL,NULL,'the provider asked to slow down (429)','{"type":"send","id":"24:0:0","account":"default","to":"+61491570104","body":{"content":"Hello.","format":"SMS","delivery_report":true,"source_number":"+61491593156","destination_number":"+61491570104"}}');
CREATE INDEX send_open ON send (id) WHERE is_open;

DROP TABLE IF EXISTS suppression;
CREATE TABLE suppression (
  number TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO suppression VALUES('+61491570105',1795431592841,'keyword','STOP');

DROP TABLE IF EXISTS tick;
CREATE TABLE tick (
  flow TEXT NOT NULL,
  "trigger" INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (flow, "trigger")
) WITHOUT ROWID;

DROP TABLE IF EXISTS unrouted;
CREATE TABLE unrouted (event INTEGER PRIMARY KEY);
INSERT INTO unrouted VALUES(22);

pragma user_version=2;
pragma application_id=1397637960;

COMMIT TRANSACTION;

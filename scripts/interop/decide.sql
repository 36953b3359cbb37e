-- The rules of what may be used for training, formulated once more: over the inputs
-- alone, for the three data sets of the sample.
--
-- Given are the inputs as tables with the columns of their files:
--   consent_history, deletion_requests, contract_restrictions, accounts,
--   messages, deliverables, platform_events
-- The data sets have two columns more: file, the path below their root, and row, the
-- 0-based row in that file. Timestamps are raw integers in their file's unit, since no
-- timestamp type of SQL spans what nanoseconds and year-9999 sentinels need. Further
-- a function ref(account), its reference in manifests, and the variables starts_at
-- and horizon (nanoseconds), default_opted_in, use_registry, and room_consents: the
-- participants of a message are parties, not only subjects.
--
-- Yields exclusions, a row for each excluded record as its manifest should have it.
-- A record that is not among them is kept.

-- Instants are nanoseconds that saturate. The lowest int64 is nobody's instant: readers
-- take it for null.
CREATE MACRO saturated(ns) AS
    CASE WHEN ns IS NOT NULL THEN greatest(least(ns, 9223372036854775807), -9223372036854775807)::BIGINT END;
CREATE MACRO nanos(t) AS saturated(t::HUGEINT);
CREATE MACRO micros(t) AS saturated(t::HUGEINT * 1000);

-- In the order in which the first that holds is the primary one. The last two are what
-- a source states of its records; the sample's sources state nothing of the kind.
CREATE TYPE reason AS ENUM (
    'deletion_requested', 'party_unknown', 'moment_unknown', 'before_program',
    'after_horizon', 'contract_restricted', 'opted_out', 'private_record', 'source_deleted');


------------------------------------------------------------------ what the inputs say

-- An account's request that is in force; of several, the earliest is told.
CREATE TABLE deletions AS
SELECT account_id AS account, micros(requested_at) AS requested_at, request_id AS request
FROM deletion_requests
QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY requested_at NULLS LAST, request_id) = 1;

-- Without an until it is open, and so it is with one that is forever.
CREATE TABLE restrictions AS
SELECT contract_id AS contract, micros("from") AS since, nullif(micros(until), 9223372036854775807) AS until
FROM contract_restrictions;

CREATE TABLE records AS
WITH every AS (
    SELECT 'messages' AS dataset, 'communications' AS category, file, row,
        message_id AS record, contract_id AS contract,
        [micros(sent_at), micros(edited_at)] AS moments,
        CASE WHEN getvariable('room_consents') THEN [
            {name: 'freelancer', party: true, accounts: [freelancer_id::VARCHAR]},
            {name: 'client', party: true, accounts: [client_id::VARCHAR]},
            {name: 'participant', party: true, accounts: participants::VARCHAR[]},
            {name: 'sender', party: false, accounts: [sender_id::VARCHAR]}
        ] ELSE [
            {name: 'freelancer', party: true, accounts: [freelancer_id::VARCHAR]},
            {name: 'client', party: true, accounts: [client_id::VARCHAR]},
            {name: 'sender', party: false, accounts: [sender_id::VARCHAR]},
            {name: 'participant', party: false, accounts: participants::VARCHAR[]}
        ] END AS roles
    FROM messages
    UNION ALL
    SELECT 'deliverables', 'work_product', file, row, deliverable_id, contract_id,
        [nanos(created_at), nanos(submitted_at)],
        [
            {name: 'freelancer', party: true, accounts: [freelancer_id::VARCHAR]},
            {name: 'client', party: true, accounts: [client_id::VARCHAR]}
        ]
    FROM deliverables
    UNION ALL
    SELECT 'events', 'platform', file, row, event_id, NULL,
        [micros(occurred_at)],
        [
            {name: 'actor', party: true, accounts: [account_id::VARCHAR]},
            {name: 'target', party: false, accounts: [target_account_id::VARCHAR]}
        ]
    FROM platform_events
)
SELECT row_number() OVER () AS id, * FROM every;

-- A moment of a record; the first is the required one.
CREATE TABLE moments AS
SELECT id, generate_subscripts(moments, 1) AS number, unnest(moments) AS instant
FROM records;

-- An account that a record names, null where the id is null or empty. A party role
-- that names nobody is a party that is null; another role that does is no subject.
CREATE TABLE subjects AS
WITH
roles AS (
    SELECT id, category, generate_subscripts(roles, 1) AS role_number, unnest(roles) AS role
    FROM records
),
named AS (
    SELECT id, category, role_number, role.name AS role, role.party AS party,
        CASE WHEN len(role.accounts) > 0 THEN role.accounts ELSE [NULL] END AS accounts
    FROM roles
),
each AS (
    SELECT id, category, role_number, role, party,
        generate_subscripts(accounts, 1) AS element, nullif(unnest(accounts), '') AS account
    FROM named
)
SELECT *,
    party AND (account IS NULL
        OR getvariable('use_registry') AND account NOT IN (SELECT account_id FROM accounts)) AS unknown
FROM each
WHERE party OR account IS NOT NULL;


CREATE TABLE refs AS
SELECT account, ref(account) AS ref
FROM (SELECT DISTINCT account FROM subjects WHERE account IS NOT NULL);


------------------------------------------------------------------ consent timelines

-- The state that the events of one instant leave. The highest sequence wins. Where
-- events share it, or one cannot be ordered as it has none, opted out wins.
CREATE TABLE states AS
WITH
events AS (
    SELECT account_id AS account, category, micros(effective_at) AS instant, opted_in::BOOLEAN AS opted_in, sequence
    FROM consent_history
),
tied AS (
    SELECT *, max(sequence) OVER tie AS highest, bool_or(sequence IS NULL) OVER tie AS unordered
    FROM events
    WINDOW tie AS (PARTITION BY account, category, instant)
)
SELECT account, category, instant, bool_and(opted_in) AS opted_in
FROM tied
WHERE unordered OR sequence = highest
GROUP BY account, category, instant;

-- The spans [since, until) over which an account is out. Without a since it is so from
-- the very start, as the programme's default; without an until, to the end. An event
-- that repeats the state before it starts nothing.
CREATE TABLE out_spans AS
WITH
everyone AS (
    SELECT account, category, NULL::BIGINT AS instant, getvariable('default_opted_in') AS opted_in
    FROM (SELECT account, category FROM states UNION SELECT account, category FROM subjects WHERE party)
    UNION ALL
    SELECT account, category, instant, opted_in FROM states
),
flips AS (
    SELECT * FROM everyone
    WINDOW timeline AS (PARTITION BY account, category ORDER BY instant NULLS FIRST)
    QUALIFY lag(opted_in) OVER timeline IS DISTINCT FROM opted_in
)
SELECT account, category, instant AS since, lead(instant) OVER timeline AS until
FROM flips
WINDOW timeline AS (PARTITION BY account, category ORDER BY instant NULLS FIRST)
QUALIFY NOT opted_in;


------------------------------------------------------------------ the decision

-- A party that is out at a moment that is known and before the horizon.
CREATE TABLE outs AS
SELECT id, role_number, element, number, out_spans.since
FROM subjects
JOIN moments USING (id)
JOIN out_spans USING (account, category)
WHERE party AND moments.instant < getvariable('horizon')
    AND (out_spans.since IS NULL OR out_spans.since <= moments.instant)
    AND (out_spans.until IS NULL OR moments.instant < out_spans.until);

-- Every reason that holds for a record, and at which of its moments if it is about time.
CREATE TABLE holding AS
SELECT id, 'deletion_requested'::reason AS reason, NULL AS number FROM subjects JOIN deletions USING (account)
UNION ALL
SELECT id, 'party_unknown'::reason, NULL FROM subjects WHERE unknown
UNION ALL
SELECT id, 'moment_unknown'::reason, NULL FROM moments WHERE number = 1 AND instant IS NULL
UNION ALL
SELECT id, 'before_program'::reason, number FROM moments WHERE instant < getvariable('starts_at')
UNION ALL
SELECT id, 'after_horizon'::reason, number FROM moments WHERE instant >= getvariable('horizon')
UNION ALL
SELECT id, 'contract_restricted'::reason, number
FROM records
JOIN moments USING (id)
JOIN restrictions USING (contract)
WHERE restrictions.since <= moments.instant AND (restrictions.until IS NULL OR moments.instant < restrictions.until)
UNION ALL
SELECT id, 'opted_out'::reason, number FROM outs;

-- The first cause that each subject is, and since when.
CREATE TABLE causes AS
WITH first_outs AS (
    SELECT id, role_number, element, first(since ORDER BY number) AS since, true AS opted_out
    FROM outs
    GROUP BY id, role_number, element
)
SELECT id, role_number, element, role, account,
    CASE
        WHEN deletions.account IS NOT NULL THEN 'deletion_requested'
        WHEN unknown THEN 'party_unknown'
        WHEN opted_out THEN 'opted_out'
    END AS cause,
    CASE cause
        WHEN 'deletion_requested' THEN requested_at
        WHEN 'opted_out' THEN first_outs.since
    END AS since,
    request
FROM subjects
LEFT JOIN deletions USING (account)
LEFT JOIN first_outs USING (id, role_number, element);

CREATE TABLE exclusions AS
WITH
reasons AS (
    SELECT id, min(reason) AS reason, list(DISTINCT reason ORDER BY reason) AS reasons
    FROM holding
    GROUP BY id
),
firsts AS (
    SELECT id, min(number) AS number
    FROM reasons
    JOIN holding USING (id, reason)
    GROUP BY id
),
accused AS (
    SELECT id,
        list({ref: coalesce(ref, ''), role: role, cause: cause, since: since} ORDER BY role_number, element) AS subjects,
        first(request ORDER BY role_number, element) FILTER (request IS NOT NULL) AS request_id
    FROM causes
    LEFT JOIN refs USING (account)
    WHERE id IN (SELECT id FROM reasons)
    GROUP BY id
)
SELECT dataset, file, record AS record_id, file AS source_file, row AS source_row,
    reason::VARCHAR AS reason, reasons::VARCHAR[] AS reasons,
    moments[coalesce(number, 1)] AS moment, subjects, request_id
FROM reasons
JOIN firsts USING (id)
JOIN accused USING (id)
JOIN records USING (id)
ORDER BY dataset, file, row;

-- In which rows an account is named, and how they ended.
CREATE TABLE appearances AS
SELECT DISTINCT dataset, file, ref, role, row, id NOT IN (SELECT id FROM holding) AS kept
FROM subjects
JOIN refs USING (account)
JOIN records USING (id);

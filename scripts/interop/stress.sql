-- A marketplace of unlikely density out of the sample's: many events at one instant,
-- with equal sequences and without; moments at the very instants of events and of
-- restrictions; lists of participants that are null, empty or have such elements; and
-- accounts whose ids are unsigned integers in communications and platform data and
-- UUIDs in work product, while the inputs beside them have the ids as text.
--
-- Tables in and out are as decide.sql takes them.

CREATE MACRO dice(sides, a, b) AS (hash(a, b, getvariable('seed')) % sides)::INTEGER;
CREATE MACRO number(account) AS CASE WHEN account <> '' THEN hash(account) END;
CREATE MACRO uuid_of(account) AS CASE WHEN account <> '' THEN md5(account)::UUID END;
CREATE MACRO id(account, category) AS
    CASE category WHEN 'work_product' THEN uuid_of(account)::VARCHAR ELSE number(account)::VARCHAR END;

-- The Monday before, in a unit of which a second has so many.
CREATE MACRO week(t, second) AS (t - (t + 259200 * second::BIGINT) % (604800 * second::BIGINT))::BIGINT;

CREATE TABLE stressed_consent_history AS
SELECT id(account_id, category) AS account_id, category,
    CASE dice(2, account_id, i) WHEN 0 THEN 'false' ELSE 'true' END AS opted_in,
    CASE WHEN abs(effective_at) < 4000000000000000 THEN week(effective_at, 1000000) + dice(3, i, account_id) * 604800000000 ELSE effective_at END AS effective_at,
    CASE WHEN dice(8, account_id, -i) > 0 THEN dice(3, -i, account_id) END AS sequence
FROM consent_history, range(4) AS repeats(i);

CREATE TABLE stressed_deletion_requests AS
SELECT id(account_id, category) AS account_id, requested_at, request_id
FROM deletion_requests, (VALUES ('communications'), ('work_product')) AS categories(category);

CREATE TABLE stressed_contract_restrictions AS
SELECT contract_id, week("from", 1000000) AS "from",
    CASE WHEN abs(until) < 4000000000000000 THEN week(until, 1000000) + 604800000000 ELSE until END AS until
FROM contract_restrictions;

CREATE TABLE stressed_messages AS
SELECT * REPLACE (
    number(freelancer_id) AS freelancer_id,
    number(client_id) AS client_id,
    number(sender_id) AS sender_id,
    CASE WHEN dice(2, file, row) = 0 AND abs(sent_at) < 4000000000000000 THEN week(sent_at, 1000000) ELSE sent_at END AS sent_at,
    CASE
        WHEN dice(100, message_id, 'edited') = 0 THEN 253402300799999999 -- the last microsecond of the year 9999
        WHEN dice(2, row, file) = 0 AND abs(edited_at) < 4000000000000000 THEN week(edited_at, 1000000)
        ELSE edited_at
    END AS edited_at,
    CASE dice(40, 'room', message_id)
        WHEN 0 THEN NULL
        WHEN 1 THEN []
        WHEN 2 THEN [NULL]
        WHEN 3 THEN [number(sender_id), NULL]
        ELSE list_transform(participants, lambda p: number(p))
    END AS participants)
FROM messages
ORDER BY file, row;

CREATE TABLE stressed_deliverables AS
SELECT * REPLACE (
    uuid_of(freelancer_id) AS freelancer_id,
    uuid_of(client_id) AS client_id,
    CASE WHEN dice(2, file, row) = 0 AND abs(created_at) < 4000000000000000000 THEN week(created_at, 1000000000) ELSE created_at END AS created_at)
FROM deliverables
ORDER BY file, row;

CREATE TABLE stressed_platform_events AS
SELECT * REPLACE (
    number(account_id) AS account_id,
    number(target_account_id) AS target_account_id,
    CASE WHEN abs(occurred_at) < 4000000000000000 THEN week(occurred_at, 1000000) ELSE occurred_at END AS occurred_at)
FROM platform_events
ORDER BY file, row;

CREATE TABLE stressed_accounts AS
SELECT id(account_id, category) AS account_id
FROM accounts, (VALUES ('communications'), ('work_product')) AS categories(category)
WHERE dice(30, account_id, category) > 0;

-- How often pgbench's sessions were seen waiting for what, in :seconds seconds from now.
-- First how many sessions there were, and how often each was looked at: as often as the
-- process that was always seen waiting. Some versions of pg_wait_sampling leave out
-- whoever waits for nothing.
SELECT pg_wait_sampling_reset_profile() IS NULL \g /dev/null
SELECT pg_sleep(:seconds) \g /dev/null

CREATE TEMP TABLE profile AS
SELECT pid, event_type, event, count FROM pg_wait_sampling_profile;
CREATE TEMP TABLE seen AS
SELECT pid, p.event_type, p.event, p.count
FROM profile p JOIN pg_stat_activity USING (pid)
WHERE application_name = 'pgbench';

SELECT count(DISTINCT pid) AS sessions FROM seen \gset
SELECT max(looks) AS looks
FROM (SELECT sum(count) AS looks FROM profile GROUP BY pid) p \gset
SELECT 'sessions', :sessions, :looks;
SELECT event_type, event, sum(count) FROM seen WHERE event_type IS NOT NULL GROUP BY 1, 2;
SELECT 'none', 'none', greatest(0, :sessions * :looks - sum(count))
FROM seen WHERE event_type IS NOT NULL;

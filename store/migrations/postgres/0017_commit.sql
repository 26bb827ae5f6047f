-- Jobs of one book are asked for when a test clock is set, and then few jobs
-- wait: an index that each payment writes three times in its life is not worth it.
DROP INDEX job_book;

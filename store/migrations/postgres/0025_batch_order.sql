-- A batch's id is in the order of time, so what is old is found by it.
DROP INDEX batch_at;

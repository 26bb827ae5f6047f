-- What has failed, and what is tried again, are found among any number of
-- deliveries that have succeeded. An endpoint whose receiver answers has neither.
CREATE INDEX delivery_failed ON delivery (endpoint, sequence) WHERE state = 'failed';
CREATE INDEX delivery_pending ON delivery (endpoint, sequence) WHERE state = 'pending';

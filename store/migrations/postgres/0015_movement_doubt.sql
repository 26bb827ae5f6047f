-- The movements whose rail's answer is not known are few, and are counted among
-- any number of others.
CREATE INDEX movement_doubt ON movement (book, kind, id) WHERE in_doubt AND NOT deleted;

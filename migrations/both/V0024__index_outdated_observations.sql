-- Finds the observations that may be deleted: absent references, and digests that events called deleted.
CREATE INDEX observations_outdated_idx ON observations (observed_at) WHERE digest IS NULL OR strpos(reference, ':') > 0;

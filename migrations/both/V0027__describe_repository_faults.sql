COMMENT ON COLUMN reference_faults.reference IS
    'The tag. Empty if the instance could not visit the repository, because it fails or hangs.';

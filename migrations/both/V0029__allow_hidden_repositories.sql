ALTER TABLE reference_faults
    DROP CONSTRAINT reference_faults_kind_known,
    ADD CONSTRAINT reference_faults_kind_known CHECK (kind IN ('failed', 'skipped', 'hidden'));

COMMENT ON COLUMN reference_faults.kind IS
    'failed: the look failed; skipped: the artifact is past a limit; hidden: the credentials may no longer read the repository.';
COMMENT ON COLUMN reference_faults.first_at IS 'When the first of the failed looks of this kind was made.';
